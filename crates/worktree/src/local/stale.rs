//! Lock files of git's kind that a killed owner left behind.
//!
//! Unlike our own locks they do not die with their holder, and nothing in them says whose they are. So one is taken away
//! only if it is on a ref that the dead owner of a record may have been changing, and if it stays exactly as it is for
//! longer than any change of a ref takes.
//!
//! The lock of all packed refs is everybody's, and somebody with a slow hook may hold it for long without touching it. It
//! is taken away only if it provably is one of ours whose holder is dead; any other is left to the doctor and to people.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::layout::Layout;
use super::record::Record;
use super::refs;
use crate::capture::{fault, way};
use crate::{Result, disk, quarantine, swap};

/// How long a lock must not change before it counts as left behind.
const GRACE: Duration = Duration::from_secs(3);

/// Takes away what the dead owner of this record has left locked. The caller holds the lease.
pub(super) fn clear(layout: &Layout, record: &Record) -> Result<()> {
    clear_of(layout, record, candidates(layout, record))
}

/// As [`clear`], for the ref of the base alone: that of a worktree that has left is nobody's but the purge's.
pub(super) fn clear_pin(layout: &Layout, record: &Record) -> Result<()> {
    clear_of(layout, record, vec![lock(layout, &way::pin(&record.admin))])
}

fn clear_of(layout: &Layout, record: &Record, locks: Vec<PathBuf>) -> Result<()> {
    let mut seen: Vec<_> = locks.into_iter().filter_map(|path| stamp(&path).map(|stamp| (path, stamp))).collect();
    let started = Instant::now();
    while !seen.is_empty() && started.elapsed() < GRACE {
        std::thread::sleep(Duration::from_millis(20));
        seen.retain(|(path, before)| stamp(path).as_ref() == Some(before));
    }
    for (path, before) in seen {
        take_away(layout, &record.token, &path, &before)?;
    }
    Ok(())
}

/// Takes away the lock of the packed refs, if it is that of a dead process of ours, of whatever worktree.
pub(super) fn packed(layout: &Layout) -> Result<()> {
    let path = layout.common.join("packed-refs.lock");
    let Some(before) = stamp(&path).filter(|_| swap::is_abandoned(&path, &layout.staging())) else { return Ok(()) };
    take_away(layout, &disk::token()?, &path, &before)
}

fn candidates(layout: &Layout, record: &Record) -> Vec<PathBuf> {
    let id = &record.parts.id;
    let mut found = vec![lock(layout, &way::pin(&record.admin))];
    found.extend(record.parts.branch.as_ref().map(|branch| lock(layout, &refs::full(branch))));
    let rescues = layout.common.join("refs/hedgerow/rescue").join(id.as_str());
    let entries = std::fs::read_dir(rescues).into_iter().flatten().flatten();
    found.extend(entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "lock")));
    found
}

fn lock(layout: &Layout, reference: &str) -> PathBuf {
    layout.common.join(format!("{reference}.lock"))
}

/// What changes when a lock is another one, or its holder is at work.
#[derive(PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

fn stamp(path: &Path) -> Option<Stamp> {
    let meta = path.symlink_metadata().ok()?;
    Some(Stamp { inode: meta.ino(), size: meta.size(), changed: (meta.ctime(), meta.ctime_nsec()) })
}

fn take_away(layout: &Layout, token: &str, path: &Path, before: &Stamp) -> Result<()> {
    if path.is_dir() && !path.is_symlink() {
        // Not git's, but in its way like one.
        return quarantine::take(&layout.state, path, "it was in the place of a lock of a ref").map(drop);
    }
    let aside = layout.staging().join(format!("{token}.lock"));
    match std::fs::rename(path, &aside) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        moved => moved.map_err(fault::io("take away the stale lock", path))?,
    }
    if stamp(&aside).is_some_and(|now| now.inode != before.inode) {
        // Somebody took the lock in the last moment; it is theirs.
        std::fs::hard_link(&aside, path).map_err(fault::io("put back the lock", path))?;
    }
    disk::remove_file(&aside)
}
