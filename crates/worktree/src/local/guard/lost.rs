//! Brings back what no ref holds any more, as long as its objects are there.

use gix::ObjectId;

use super::super::layout::Layout;
use super::super::locked::write_reason;
use super::super::record::{self, Record, Stage};
use super::change::Repair;
use super::repair::left;
use crate::swap::{self, COMMITTER, Log, Value};
use crate::{Result, WorktreeId, capture, disk, repo};

/// Puts a ref back in its place if that is empty, otherwise under a rescue ref.
pub(super) fn reference(layout: &Layout, name: &str, was: Option<&str>, task: &WorktreeId) -> Result<Repair> {
    let Some(id) = was.and_then(|id| ObjectId::from_hex(id.as_bytes()).ok()) else {
        return Ok(left("it is new, or named no object; nothing is lost by it"));
    };
    let repo = repo::open(&layout.common)?;
    if id.kind() != repo.object_hash() || !is_whole(&repo, id) {
        return Ok(left(GONE));
    }
    let free = swap::read(&layout.common, name)? == Value::Missing;
    if free && swap::conflict(&layout.common, name)?.is_none() {
        let log = Log::new(&repo, COMMITTER, "guard: put back");
        let missing = |value| value == Value::Missing;
        if swap::set(&layout.common, name, id, Some(&log), missing)? == Value::Missing {
            swap::sync(&layout.common, name)?;
            return Ok(Repair::Restored { aside: None });
        }
    }
    rescue(&repo, task, id)
}

/// Puts an entry of the stash under a rescue ref.
pub(super) fn stash(layout: &Layout, commit: &str, task: &WorktreeId) -> Result<Repair> {
    let Ok(id) = ObjectId::from_hex(commit.as_bytes()) else { return Ok(left("this is no object id")) };
    rescue(&repo::open(&layout.common)?, task, id)
}

const GONE: &str = "its objects are gone from the repository; another clone may have them";

fn rescue(repo: &gix::Repository, task: &WorktreeId, id: ObjectId) -> Result<Repair> {
    if id.kind() != repo.object_hash() || !is_whole(repo, id) {
        return Ok(left(GONE));
    }
    let peeled = repo.find_object(id).ok().and_then(|object| object.peel_to_kind(gix::objs::Kind::Commit).ok());
    match peeled {
        Some(commit) => Ok(Repair::Rescued(capture::rescue(repo, task, commit.id)?)),
        None => Ok(left("it names no commit")),
    }
}

/// Whether the object is there and, for a commit, its tree and its parents are.
fn is_whole(repo: &gix::Repository, id: ObjectId) -> bool {
    let Ok(object) = repo.find_object(id) else { return false };
    let Ok(commit) = object.try_into_commit() else { return true };
    let tree = commit.tree_id().is_ok_and(|tree| repo.find_object(tree).is_ok());
    tree && commit.parent_ids().all(|parent| repo.find_object(parent).is_ok())
}

/// Locks one of our worktrees for git again.
pub(super) fn lock(layout: &Layout, entry: &str) -> Result<Repair> {
    let _turn = layout.turn()?;
    for id in record::ids(layout)? {
        let Some(record) = Record::read(layout, &id)?.filter(|record| record.admin == entry) else { continue };
        if disk::identity(&record.admin_dir(layout)).is_none() {
            return Ok(left("git's entry for the worktree is gone"));
        }
        let reason = match record.stage {
            Stage::Leased => record.holder.reason(&id),
            Stage::Kept => format!("hedgerow worktree {id}: kept"),
            Stage::Creating | Stage::Removing { .. } => return Ok(left("it is just being made or removed")),
        };
        write_reason(layout, &record, &reason)?;
        return Ok(Repair::Restored { aside: None });
    }
    Ok(left("this worktree is not managed here; `git worktree lock` locks it"))
}
