//! Reading, moving and flushing the ref of a branch.
//!
//! This is git's own protocol for refs in files, done here and not by gix: gix compares with a copy of `packed-refs`
//! that it may have read before it had the lock, so an update that is packed in between would be overwritten unseen.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::actor::Signature;

use super::{lock, reflog};
use crate::{BranchName, Error, Result};

/// What came of a compare-and-swap.
pub(crate) enum Swap {
    Moved,
    /// Nothing was written; this is what the branch names.
    Elsewhere(Option<ObjectId>),
}

/// What the branch names, or `None` when it does not exist.
pub(crate) fn read(session: &gix::Repository, branch: &BranchName) -> Result<Option<ObjectId>> {
    let name = name(branch);
    let path = session.common_dir().join(&name);
    // A ref is packed first and its file removed then, so whoever finds no file finds it packed.
    match loose(&path)? {
        Some(text) => parse(branch, text.trim_end()).map(Some),
        None => packed(session.common_dir(), &name)?.map(|id| parse(branch, &id)).transpose(),
    }
}

/// Moves the branch from `expected` to `new`, with a reflog entry. Durable when it returns.
pub(crate) fn compare_and_swap(
    session: &gix::Repository,
    branch: &BranchName,
    expected: ObjectId,
    new: ObjectId,
    message: &str,
    who: &Signature,
) -> Result<Swap> {
    let name = name(branch);
    let path = session.common_dir().join(&name);
    let lock = lock::acquire(&path, format!("{new}\n").as_bytes())?;
    // Only under the lock does the comparison mean anything: nobody may write the file or remove it now.
    let now = read(session, branch)?;
    if now != Some(expected) {
        return Ok(Swap::Elsewhere(now));
    }
    // The entry goes first: one for a move that did not happen is harmless, a move without one is lost to sight.
    reflog::append(&session.common_dir().join("logs").join(&name), expected, new, message, who)?;
    lock.commit()?;
    flush(session, branch)?;
    Ok(Swap::Moved)
}

/// Makes what the branch names survive a power failure.
pub(crate) fn flush(session: &gix::Repository, branch: &BranchName) -> Result<()> {
    let common = session.common_dir();
    let name = name(branch);
    let (loose, log) = (common.join(&name), common.join("logs").join(&name));
    let directories = [&loose, &log].map(|file| file.parent().map(PathBuf::from).unwrap_or_default());
    let [refs, logs] = directories;
    for path in [loose, common.join("packed-refs"), log, refs, logs] {
        match File::open(&path).and_then(|file| file.sync_all()) {
            Ok(()) => {}
            // Packed, never packed, or without a log: what does not exist needs no flush.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Error::git(format!("flush {path:?} to the disk"))(error)),
        }
    }
    Ok(())
}

fn name(branch: &BranchName) -> String {
    format!("refs/heads/{branch}")
}

/// The content of a ref's own file.
fn loose(path: &Path) -> Result<Option<String>> {
    if let Ok(target) = fs::read_link(path) {
        // The oldest form of a symbolic ref.
        return Ok(Some(format!("ref: {}", target.display())));
    }
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if absent(&error) => Ok(None),
        Err(error) => Err(Error::git(format!("read {path:?}"))(error)),
    }
}

/// The id of a packed ref, read from the disk each time.
fn packed(common: &Path, name: &str) -> Result<Option<String>> {
    let path = common.join("packed-refs");
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if absent(&error) => return Ok(None),
        Err(error) => return Err(Error::git(format!("read {path:?}"))(error)),
    };
    let of_name = |line: &[u8]| {
        let line = std::str::from_utf8(line).ok()?;
        line.split_once(' ').filter(|(_, packed)| packed.trim_end() == name).map(|(id, _)| id.to_owned())
    };
    Ok(bytes.split(|byte| *byte == b'\n').find_map(of_name))
}

fn parse(branch: &BranchName, text: &str) -> Result<ObjectId> {
    if let Some(other) = text.strip_prefix("ref:") {
        return Err(Error::NoBranch {
            branch: branch.to_string(),
            problem: format!("it is another name for {}; name that branch", other.trim()),
        });
    }
    ObjectId::from_hex(text.as_bytes()).map_err(Error::git(format!("read branch {branch}: its ref is damaged")))
}

/// Whether there is no file; a directory may be what is left of branches with longer names.
fn absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory)
}
