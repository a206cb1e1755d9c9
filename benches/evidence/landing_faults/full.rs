//! Landings on a disk with so many pages left, in a mount namespace of their own.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Command;

use clap::ValueEnum;

use super::child;
use super::scene::{Doing, Scene};
use super::tally::Tally;
use crate::{Failure, clone, progress};

/// What space is given out in.
const PAGE: u64 = 4096;
/// More than any of it needs.
const MOST: u64 = 200;

/// What came of all sizes, or why it could not be tried.
pub(super) fn all(doing: Doing) -> Result<Result<Tally, String>, Failure> {
    let verb = doing.to_possible_value().ok_or("every verb has a name")?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "--"]).arg(std::env::current_exe()?);
    let output = match command.args(["landing-faults-child", "--full", verb.get_name(), "-", "-"]).output() {
        Ok(output) => output,
        Err(error) => return Ok(Err(format!("unshare could not be started: {error}"))),
    };
    if !output.status.success() {
        return Ok(Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(Ok(serde_json::from_slice(&output.stdout)?))
}

/// The same, by a process that may mount.
pub(super) fn inside(doing: Doing) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    for pages in 0..=MOST {
        let place = clone::temporary()?;
        let disk = place.path().join("disk");
        std::fs::create_dir(&disk)?;
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(&disk).output()?;
        if !mounted.status.success() {
            return Err(format!("mount: {}", String::from_utf8_lossy(&mounted.stderr).trim()).into());
        }
        let tried = on(&disk, place.path(), pages, doing, &mut tally);
        let unmounted = Command::new("umount").args(["-l"]).arg(&disk).status()?;
        if tried? {
            progress(&format!("{}: {pages} pages are enough", doing.name()));
            return Ok(tally);
        }
        if !unmounted.success() {
            return Err("a disk could not be unmounted".into());
        }
    }
    Err(format!("{MOST} pages were not enough").into())
}

/// Whether so many pages are enough.
fn on(disk: &Path, place: &Path, pages: u64, doing: Doing, tally: &mut Tally) -> Result<bool, Failure> {
    let scene = Scene::at(disk, place, doing)?;
    let filler = disk.join("filler");
    leave(&filler, pages)?;
    let output = child::command(doing, &scene.path, scene.prepared.as_os_str())?.output()?;
    std::fs::remove_file(&filler)?;
    if output.status.success() {
        return Ok(true);
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() != Some(2) {
        tally.said.push(format!("with {pages} pages: {} {said}", output.status));
        tally.between += 1;
    }
    scene.judge(tally)?;
    Ok(false)
}

/// Fills the disk but for so many pages.
fn leave(filler: &Path, pages: u64) -> Result<(), Failure> {
    let mut file = File::create(filler)?;
    let block = [1_u8; 4096];
    let mut written = 0;
    loop {
        match file.write(&block) {
            Ok(n) => written += n as u64,
            Err(error) if error.kind() == ErrorKind::StorageFull => break,
            Err(error) => return Err(error.into()),
        }
    }
    OpenOptions::new().write(true).open(filler)?.set_len(written.saturating_sub(pages * PAGE))?;
    Ok(())
}
