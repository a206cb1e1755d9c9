//! Changes of refs, each by compare-and-swap.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use gix::ObjectId;

use super::disk;
use super::swap::{self, Value};
use crate::capture::fault;
use crate::{BranchName, Error, Result, WorktreeId};

/// Who the reflogs name.
const COMMITTER: &str = "hedgerow <hedgerow@localhost>";

/// The full name of a branch.
pub(super) fn full(branch: &BranchName) -> String {
    format!("refs/heads/{branch}")
}

/// What the branch names now, if it exists.
pub(super) fn branch_tip(repo: &gix::Repository, branch: &BranchName) -> Result<Option<ObjectId>> {
    match swap::read(repo.common_dir(), &full(branch))? {
        Value::Id(id) => Ok(Some(id)),
        Value::Missing | Value::Other => Ok(None),
    }
}

/// Creates the branch, or fails because it, or another one that excludes it, exists.
pub(super) fn create_branch(repo: &gix::Repository, branch: &BranchName, at: ObjectId) -> Result<()> {
    let taken = |problem: String| Error::Occupied { what: "branch", name: branch.to_string(), problem };
    if let Some(problem) = conflict(repo, branch)? {
        return Err(taken(problem));
    }
    let name = full(branch);
    if swap::set(repo.common_dir(), &name, at, |value| value == Value::Missing)? != Value::Missing {
        return Err(taken(EXISTS.into()));
    }
    if logs(repo) {
        // A log that cannot be written, because one of a former branch is in its way, is no reason to do without a branch.
        let log = repo.common_dir().join("logs").join(&name);
        let line = first_log_line(at, &format!("branch: Created from {at}"));
        let _ = log.parent().map(std::fs::create_dir_all);
        let _ = OpenOptions::new().create(true).append(true).open(log).and_then(|mut f| f.write_all(line.as_bytes()));
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
    for (end, _) in branch.as_str().match_indices('/') {
        let above = format!("refs/heads/{}", &branch.as_str()[..end]);
        if swap::read(common, &above)? != Value::Missing {
            return Ok(Some(format!("git cannot have it beside the ref {above}; choose another name")));
        }
    }
    let below = format!("refs/heads/{branch}/");
    let all = repo.references().map_err(fault::git("read the refs"))?;
    let mut found = all.prefixed(below.as_str()).map_err(fault::git(format!("read the refs below {below}")))?;
    Ok(found.next().map(|_| format!("git cannot have it beside the refs below {below}; choose another name")))
}

/// Deletes the branch if it still names this commit; otherwise it stays.
pub(super) fn delete_branch(repo: &gix::Repository, branch: &BranchName, expected: ObjectId) -> Result<()> {
    swap::delete(repo.common_dir(), &full(branch), |value| value == Value::Id(expected)).map(drop)
}

/// Keeps the base of a worktree from being garbage-collected while it lives.
pub(super) fn pin_base(common: &Path, id: &WorktreeId, base: ObjectId) -> Result<()> {
    swap::set(common, &pin(id), base, |_| true).map(drop)
}

/// Gives the base up.
pub(super) fn unpin_base(common: &Path, id: &WorktreeId) -> Result<()> {
    swap::delete(common, &pin(id), |_| true).map(drop)
}

/// The ref that keeps the base of a worktree.
pub(super) fn pin(id: &WorktreeId) -> String {
    format!("refs/hedgerow/base/{id}")
}

/// Makes a ref durable, together with the directories that lead to it.
pub(super) fn sync(common: &Path, reference: &str) -> Result<()> {
    let path = common.join(reference);
    match File::open(&path).and_then(|file| file.sync_all()) {
        // Packed by somebody meanwhile; git makes what it packs durable.
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        synced => synced.map_err(fault::io("flush", &path))?,
    }
    for dir in path.ancestors().skip(1).take_while(|dir| dir.starts_with(common) && *dir != common) {
        if dir.is_dir() {
            disk::sync_dir(dir)?;
        }
    }
    Ok(())
}

/// Whether the repository wants reflogs.
fn logs(repo: &gix::Repository) -> bool {
    let config = repo.config_snapshot();
    match config.string("core.logAllRefUpdates") {
        Some(value) if value.eq_ignore_ascii_case(b"always") => true,
        _ => config.boolean("core.logAllRefUpdates").unwrap_or(!repo.is_bare()),
    }
}

/// The line with which a reflog begins.
pub(super) fn first_log_line(at: ObjectId, message: &str) -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    format!("{} {at} {COMMITTER} {seconds} +0000\t{message}\n", at.kind().null())
}
