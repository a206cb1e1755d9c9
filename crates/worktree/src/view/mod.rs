//! The private git directory through which git works inside a sandbox.
//!
//! Inside, the worktree's `.git` file names a git directory of the task's own: its own `HEAD`, config, index and refs, and
//! an empty object database whose alternates are the real ones, mounted read-only. So git is complete there, while the
//! repository itself is out of reach.

mod alternates;
mod build;
mod config;

use std::path::{Path, PathBuf};

pub(crate) use build::build;

use crate::{Mount, WorktreeId};

/// The git-related part of what a sandbox must mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// In the order in which they must be mounted, after the tree itself.
    pub(crate) mounts: Vec<Mount>,
}

/// Where the view of a worktree lies; everything in `git` below it may be written from inside the sandbox.
pub(crate) fn dir(common: &Path, id: &WorktreeId) -> PathBuf {
    common.join("hedgerow").join("views").join(id.as_str())
}

/// The git directory of the view.
pub(crate) fn git_dir(common: &Path, id: &WorktreeId) -> PathBuf {
    dir(common, id).join("git")
}
