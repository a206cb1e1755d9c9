//! The refs that worktrees come and go with.

use std::path::Path;

use gix::ObjectId;

use super::base;
use super::layout::Layout;
use super::record::{self, Record};
use crate::capture::way::{self, pin};
use crate::swap::{self, COMMITTER, Log, Packers, Staged, Value};
use crate::{BranchName, CommitId, Error, Result, Taken, WorktreeId};

/// No ref is as large as this.
const MOST: u64 = 1 << 10;

/// The full name of a branch.
pub(super) fn full(branch: &BranchName) -> String {
    format!("refs/heads/{branch}")
}

/// What the branch names now, if it exists.
pub(super) fn branch_tip(repo: &gix::Repository, branch: &BranchName) -> Result<Option<ObjectId>> {
    match swap::read(repo.common_dir(), &full(branch))? {
        Value::Id(id) if id.kind() == repo.object_hash() => Ok(Some(id)),
        Value::Id(_) | Value::Missing | Value::Other => Ok(None),
    }
}

/// Creates the branch, or fails because it, or another one that excludes it, exists.
pub(super) fn create_branch(repo: &gix::Repository, branch: &BranchName, staged: &Staged) -> Result<()> {
    let taken = |problem: String| Error::Occupied { what: Taken::Branch, name: branch.to_string(), problem };
    if let Some(problem) = conflict(repo, branch)? {
        return Err(taken(problem));
    }
    let log = Log::new(repo, COMMITTER, &format!("branch: Created from {}", staged.id()));
    let missing = |value| value == Value::Missing;
    if swap::set_staged(repo.common_dir(), &full(branch), staged, Some(&log), missing)? != Value::Missing {
        return Err(taken(EXISTS.into()));
    }
    Ok(())
}

const EXISTS: &str = "a branch of this name exists already; choose another name, or delete it if it is not needed";

/// Which other ref excludes a branch of this name, in words: itself, one above it or one below it, loose or packed.
pub(super) fn conflict(repo: &gix::Repository, branch: &BranchName) -> Result<Option<String>> {
    let common = repo.common_dir();
    if swap::read(common, &full(branch))? != Value::Missing {
        return Ok(Some(EXISTS.into()));
    }
    swap::conflict(common, &full(branch))
}

/// The error for a branch that is taken, which names the worktree of ours that has it rather than the `problem`.
pub(super) fn taken(layout: &Layout, branch: &BranchName, problem: String) -> Error {
    let records = record::ids(layout).unwrap_or_default().into_iter();
    let mut records = records.filter_map(|id| Record::read(layout, &id).ok()?);
    let holder = records.find(|record| record.parts.branch.as_ref() == Some(branch));
    let problem = holder.map_or(problem, |record| {
        let (id, path) = (&record.parts.id, record.parts.path.display());
        format!("it is that of worktree {id} at {path}; choose another name, or release that worktree first")
    });
    Error::Occupied { what: Taken::Branch, name: branch.to_string(), problem }
}

/// Deletes the branch if it still names this commit; otherwise it stays.
pub(super) fn delete_branch(common: &Path, branch: &BranchName, expected: ObjectId) -> Result<()> {
    swap::delete(common, &full(branch), |value| value == Value::Id(expected)).map(drop)
}

/// Keeps the base of a worktree from being garbage-collected until it is purged, by its [`pin`]. What somebody else has put
/// there is put aside, under a rescue ref of `id`.
pub(super) fn pin_base(repo: &gix::Repository, id: &WorktreeId, name: String, staged: &Staged) -> Result<()> {
    let (common, base) = (repo.common_dir(), staged.id());
    let fits = |value| matches!(value, Value::Missing) || value == Value::Id(base);
    if !swap::is_packed_over(common, &name)? {
        match swap::set_staged(common, &name, staged, None, fits) {
            Ok(found) if fits(found) => return Ok(()),
            Err(e @ Error::Locked { .. }) => return Err(e),
            // It is told below why not, if it is not for what is in the way.
            Ok(_) | Err(_) => {}
        }
    }
    way::clear(repo, id, &name, base)?;
    match swap::set_staged(common, &name, staged, None, fits)? {
        found if fits(found) => Ok(()),
        _ => Err(Error::RefMoved { reference: name, problem: "somebody else sets it again and again".into() }),
    }
}

/// Gives the base up. What somebody else has put there stays.
///
/// # Errors
/// When it cannot be told what is there, which may pass: what it holds would be held for ever.
pub(super) fn unpin_base(common: &Path, admin: &str, base: &CommitId, packers: &Packers) -> Result<()> {
    let (name, base) = (pin(admin), Value::Id(base::object_id(base)?));
    let is_strange = || common.join(&name).symlink_metadata().is_ok_and(|meta| !meta.is_file() || meta.len() > MOST);
    match swap::read(common, &name) {
        Ok(found) if found == base => swap::delete_among(common, &name, packers, |value| value == base).map(drop),
        Err(e) if !is_strange() => Err(e),
        Ok(_) | Err(_) => Ok(()),
    }
}
