//! The leased handle of one worktree.

use std::any::Any;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{BranchName, CommitId, GitAccess, WorktreeId};

/// A worktree leased to this process.
///
/// Dropping it gives up the lease and nothing else: directory, branch and record stay, and
/// [`recover`](crate::WorktreeManager::recover) finds them again.
#[must_use = "a worktree that is dropped stays on disk until it is recovered or released"]
pub struct Worktree {
    parts: Parts,
    lease: Box<dyn Any + Send + Sync>,
}

/// What a [`Worktree`] is made of; for implementors of [`WorktreeManager`](crate::WorktreeManager).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// Its id.
    pub id: WorktreeId,
    /// The absolute path of its tree.
    pub path: PathBuf,
    /// Its branch, if it has one.
    pub branch: Option<BranchName>,
    /// The commit that it was created from.
    pub base: CommitId,
    /// How git works inside.
    pub git: GitAccess,
    /// What a sandbox must mount so that the worktree and git in it work, in this order.
    pub mounts: Vec<Mount>,
}

/// One path that a sandbox must make visible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The path on the host.
    pub source: PathBuf,
    /// The path inside.
    pub target: PathBuf,
    /// Whether it may be written.
    pub access: Access,
}

/// Whether a mounted path may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// Readable only.
    ReadOnly,
    /// Readable and writable.
    ReadWrite,
}

impl Worktree {
    /// Makes a handle from its parts and whatever value holds the lease while it lives.
    pub fn new(parts: Parts, lease: impl Any + Send + Sync) -> Self {
        Self { parts, lease: Box::new(lease) }
    }

    /// The id under which it was created.
    pub fn id(&self) -> &WorktreeId {
        &self.parts.id
    }

    /// The absolute path of its tree.
    pub fn path(&self) -> &Path {
        &self.parts.path
    }

    /// Its branch, unless it is detached.
    pub fn branch(&self) -> Option<&BranchName> {
        self.parts.branch.as_ref()
    }

    /// The commit that it was created from.
    pub fn base(&self) -> &CommitId {
        &self.parts.base
    }

    /// How git works inside.
    pub fn git(&self) -> GitAccess {
        self.parts.git
    }

    /// What a sandbox must mount, in this order: later mounts may lie below earlier ones.
    ///
    /// The list comes from the manager's own records, never from what the tree contains.
    pub fn mounts(&self) -> &[Mount] {
        &self.parts.mounts
    }

    /// What it is made of, for managers that wrap the handles of another one.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Takes it apart again, into its parts and the value that holds the lease; dropping that value gives up the lease.
    pub fn into_parts(self) -> (Parts, Box<dyn Any + Send + Sync>) {
        (self.parts, self.lease)
    }

    /// The value that holds the lease, for the manager that made it.
    pub fn lease(&self) -> &(dyn Any + Send + Sync) {
        self.lease.as_ref()
    }
}

impl fmt::Debug for Worktree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worktree").field("parts", &self.parts).finish_non_exhaustive()
    }
}
