//! Takes over what was done in a worktree: the agent's own commits, then what lies uncommitted in the tree.

pub(crate) mod fault;

use std::path::PathBuf;

use crate::{BranchName, Capture, Error, GitAccess, Message, Rescue, Result, WorktreeId};

/// What [`capture`] must know about a worktree; all of it from the manager's own records.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    /// The repository's common directory.
    pub(crate) common: PathBuf,
    /// The worktree's id.
    pub(crate) id: WorktreeId,
    /// The absolute path of its tree.
    pub(crate) tree: PathBuf,
    /// Its admin directory, which its `.git` file names.
    pub(crate) admin: PathBuf,
    /// The index whose stat data tells which files are as they were checked out.
    pub(crate) index: PathBuf,
    /// The commit that it was created from.
    pub(crate) base: gix::ObjectId,
    /// Its branch, if it has one.
    pub(crate) branch: Option<BranchName>,
    /// Whether git inside worked on the repository itself or on a view.
    pub(crate) git: GitAccess,
}

/// Takes over the agent's commits and a snapshot of the tree, and moves the branch there.
pub(crate) fn capture(_repo: &gix::Repository, input: &Input, _message: &Message) -> Result<Capture> {
    Err(fault::strange(&input.tree, "capturing is not built yet"))
}

/// Puts a commit under the next free rescue ref of this worktree.
pub(crate) fn rescue(_repo: &gix::Repository, id: &WorktreeId, _commit: gix::ObjectId) -> Result<Rescue> {
    Err(Error::Repository { path: PathBuf::from(id.as_str()), problem: "rescuing is not built yet".into() })
}
