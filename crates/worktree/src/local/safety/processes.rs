//! Which processes use a directory.

use std::ffi::OsStr;
use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};

use crate::{Process, disk};

/// The processes that work below this directory or have something in it open, as far as this process may see them.
///
/// Of this process itself only its working directory counts. What other users' processes do cannot be seen without
/// privileges, and is left out.
pub(super) fn inside(tree: &Path) -> Result<Vec<Process>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Ok(entry) = entry else { continue };
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if let Some(path) = used_by(&entry.path(), tree, pid)? {
            let name = std::fs::read(entry.path().join("comm")).unwrap_or_default();
            found.push(Process { pid, name: String::from_utf8_lossy(name.trim_ascii()).into_owned(), path });
        }
    }
    found.sort_by_key(|process| process.pid);
    Ok(found)
}

/// What this process uses of the directory, if anything.
fn used_by(process: &Path, tree: &Path, pid: u32) -> Result<Option<PathBuf>> {
    let cwd = process.join("cwd");
    // By its identity as well: in a sandbox the same directory may go by another name.
    let same = disk::identity(tree).is_some_and(|tree| disk::identity_behind(&cwd) == Some(tree));
    if let Some(path) = link(&cwd)?.filter(|path| same || path.starts_with(tree)) {
        return Ok(Some(path));
    }
    if pid == std::process::id() {
        return Ok(None);
    }
    let files = match std::fs::read_dir(process.join("fd")) {
        Ok(files) => files,
        Err(e) if is_out_of_sight(&e) => return Ok(None),
        Err(e) => return Err(e),
    };
    for file in files.flatten() {
        if let Some(path) = link(&file.path())?.filter(|path| path.starts_with(tree)) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn link(path: &Path) -> Result<Option<PathBuf>> {
    match std::fs::read_link(path) {
        Ok(target) => Ok(Some(without_mark(target))),
        Err(e) if is_out_of_sight(&e) => Ok(None),
        Err(e) => Err(e),
    }
}

/// The kernel marks what was deleted since.
fn without_mark(path: PathBuf) -> PathBuf {
    match path.to_str().and_then(|text| text.strip_suffix(" (deleted)")) {
        Some(text) => PathBuf::from(OsStr::new(text)),
        None => path,
    }
}

/// The process ended meanwhile, or belongs to somebody else. (`ESRCH` has no kind of its own.)
fn is_out_of_sight(e: &std::io::Error) -> bool {
    let ended = rustix::io::Errno::SRCH.raw_os_error();
    matches!(e.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) || e.raw_os_error() == Some(ended)
}
