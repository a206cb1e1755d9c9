//! Makes objects young that are there already: a `git gc` deletes those that nothing names as soon as they are old
//! enough, also while a ref to them is being made. git does the same before it relies on one.

use std::path::PathBuf;

use gix::ObjectId;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};

/// Whether the repository has this object in a place from which it will not be deleted in the next moment.
///
/// One that is in a pack alone is such a one, unless there are packs of objects that nothing names: then it must be
/// written anew.
pub(super) fn has(repo: &gix::Repository, id: ObjectId) -> bool {
    repo.has_object(id) && (loose(repo, id) || !has_cruft(repo))
}

/// Makes a loose object young, and says whether it is one.
pub(super) fn loose(repo: &gix::Repository, id: ObjectId) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let times = Timestamps { last_access: now, last_modification: now };
    utimensat(CWD, path(repo, id), &times, AtFlags::SYMLINK_NOFOLLOW).is_ok()
}

fn path(repo: &gix::Repository, id: ObjectId) -> PathBuf {
    let hex = id.to_string();
    repo.common_dir().join("objects").join(&hex[..2]).join(&hex[2..])
}

/// Whether there are packs in which git collects what nothing names. What cannot be told is so.
fn has_cruft(repo: &gix::Repository) -> bool {
    let packs = match std::fs::read_dir(repo.common_dir().join("objects/pack")) {
        Ok(packs) => packs,
        Err(e) => return e.kind() != std::io::ErrorKind::NotFound,
    };
    packs.into_iter().any(|entry| entry.map_or(true, |entry| entry.path().extension().is_some_and(|x| x == "mtimes")))
}
