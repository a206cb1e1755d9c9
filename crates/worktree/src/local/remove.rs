//! Takes a worktree out of the world: the mirror image of publishing.
//!
//! Idempotent: a recovery calls it again for a record that says so. Whoever writes that record has rescued the work.

use super::layout::Layout;
use super::lock::Lock;
use super::record::{Record, Stage};
use super::{base, refs, scan, trash};
use crate::capture::fault;
use crate::disk;
use crate::{Result, view};

/// Moves tree and admin directory out of sight, then deletes them and the record.
pub(super) fn remove(repo: &gix::Repository, layout: &Layout, record: &Record) -> Result<()> {
    withdraw(repo, layout, record)?;
    clean(layout, record)
}

fn withdraw(repo: &gix::Repository, layout: &Layout, record: &Record) -> Result<()> {
    let _turn = Lock::wait(&layout.lock())?;
    let parts = &record.parts;
    // Only the very directory that we made; what somebody else put in its place is theirs.
    if record.root.is_some() && disk::identity(&parts.path) == record.root {
        disk::rename_new(&parts.path, &record.trash).map_err(fault::io("move to the trash", &parts.path))?;
        if disk::identity(&record.trash) != record.root {
            // Exchanged in the last moment.
            disk::rename_new(&record.trash, &parts.path).map_err(fault::io("put back", &parts.path))?;
            return Err(fault::strange(&parts.path, "another directory was put in the place of the tree"));
        }
    }
    let admin = record.admin_dir(layout);
    if disk::identity(&admin).is_some() {
        let trash = layout.trash().join(&record.admin);
        disk::rename_new(&admin, &trash).map_err(fault::io("move to the trash", &admin))?;
        // git removes the directory with its last entry; another entry makes this fail, as it should.
        let _ = std::fs::remove_dir(layout.admins());
    }
    if let (Some(branch), Stage::Removing { tip: Some(tip) }) = (&parts.branch, &record.stage)
        && scan::user_of(&layout.common, branch, &record.admin).is_none()
    {
        // A branch that moved on is somebody's work, and stays.
        refs::delete_branch(repo, branch, base::object_id(tip)?)?;
    }
    refs::unpin_base(&layout.common, &parts.id)
}

/// Deletes what is out of sight, the record last, so that whatever cannot be deleted is found again.
pub(super) fn clean(layout: &Layout, record: &Record) -> Result<()> {
    let id = &record.parts.id;
    if disk::identity(&record.trash).is_some_and(|found| Some(found) != record.root) {
        return Err(fault::strange(&record.trash, "this is not the tree that was moved to the trash; look at it"));
    }
    let garbage = [
        record.trash.clone(),
        record.temporary.clone(),
        record.staging_dir(layout),
        layout.trash().join(&record.admin),
        view::dir(&layout.common, id),
    ];
    for path in garbage {
        trash::delete(&path).map_err(fault::io("delete", &path))?;
    }
    let _turn = Lock::wait(&layout.lock())?;
    record.remove(layout)
}
