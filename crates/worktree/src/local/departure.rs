//! That a worktree is on its way out, and what its record does not say about that.
//!
//! It is written down without waiting for the disk, as a symlink that leads nowhere: its text appears together with its
//! name, so that neither a killed process nor a power failure leaves half of it. The record itself, which is durable, stays
//! as it was, unless a pool has named another place for the tree than the record does: then it is written anew before, in
//! one step that is flushed outside of all locks. So whichever steps of a removal a power failure undoes, what is left is one
//! of four things:
//!
//! * neither the link nor the move of the tree: a worktree whose owner is dead, as if nothing had happened;
//! * the link, and the tree in its place: the same, since [`take_back`](super::remove::take_back) makes it that;
//! * the tree in its place in the trash, with or without the link: a removal that the next recovery finishes. Without the
//!   link it is not known what the branch has to name to be deleted, so it stays;
//! * the tree in the slot of a pool that the record names, or deleted there as one of an earlier boot: the same.
//!
//! A removal ends with a flush of its lines in the history, outside of all locks: file systems with a journal make
//! everything durable by that which was done before. What else waits for the disk does so for git's sake, or seldom:
//! taking the branch out of packed refs, the first line of a history, and making it smaller, all
//! of which is done under the lock. Nothing is deleted before the record is durably in the trash.

use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::clock::Moment;
use super::layout::Layout;
use super::record::{Record, Stage};
use crate::capture::fault;
use crate::{CommitId, Result};
use crate::{disk, quarantine};

/// What the link says.
#[derive(Debug, Serialize, Deserialize)]
struct Departure {
    /// The lease that ended with it; the link of an earlier one that was taken back says nothing.
    lease: String,
    /// What its branch must still name to be deleted.
    tip: Option<CommitId>,
    /// When that was.
    since: Moment,
    /// Where its tree goes.
    trash: PathBuf,
}

/// Has a leased worktree be one that is being removed. The caller holds the lock of the repository.
pub(super) fn begin(layout: &Layout, record: &mut Record, tip: Option<CommitId>) -> Result<()> {
    let since = Moment::now();
    let departure = Departure {
        lease: record.holder.lease.clone(),
        tip: tip.clone(),
        since: since.clone(),
        trash: record.trash.clone(),
    };
    let text = serde_json::to_string(&departure).map_err(fault::git("write down a removal"))?;
    let path = layout.departure(&record.admin);
    let link = || std::os::unix::fs::symlink(&text, &path);
    let linked = match link() {
        // Of a removal that was taken back.
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            // Or a directory, which somebody else has put there.
            disk::remove_file(&path).map_or(Err(e), |()| link())
        }
        linked => linked,
    };
    record.depart(tip, since);
    match linked {
        Ok(()) => Ok(()),
        // There are file systems without symlinks, and paths that are too long for one.
        Err(_) => record.write(layout),
    }
}

/// Adds to a record what the link says, if there is one that belongs to it.
pub(super) fn add_to(layout: &Layout, record: &mut Record) -> Result<()> {
    if record.stage != Stage::Leased {
        return Ok(());
    }
    let path = layout.departure(&record.admin);
    let text = match std::fs::read_link(&path) {
        Ok(text) => text,
        // None, or something that nobody here has made.
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::InvalidInput) => return Ok(()),
        Err(e) => return Err(fault::io("read", path)(e)),
    };
    let Ok(departure) = serde_json::from_slice::<Departure>(text.as_os_str().as_bytes()) else { return Ok(()) };
    if departure.lease == record.holder.lease {
        record.trash = departure.trash;
        record.depart(departure.tip, departure.since);
    }
    Ok(())
}

/// Takes the link away.
pub(super) fn forget(layout: &Layout, admin: &str) -> Result<()> {
    let path = layout.departure(admin);
    if path.is_dir() && !path.is_symlink() {
        return quarantine::take(&layout.state, &path, "it was in the place of the note of a removal").map(drop);
    }
    disk::remove_file(&path)
}
