//! A removal that was thought through, to be looked at before it is done.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{BranchName, Disposition, SafetyReport, WorktreeId};

/// What [`LocalWorktrees::apply`](crate::LocalWorktrees::apply) would do with a worktree, as
/// [`LocalWorktrees::plan`](crate::LocalWorktrees::plan) found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[must_use = "a plan does nothing until it is applied"]
#[non_exhaustive]
pub struct Removal {
    /// Which worktree.
    pub id: WorktreeId,
    /// Where its tree is.
    pub path: PathBuf,
    /// What was asked for.
    pub disposition: Disposition,
    /// What is in it.
    pub report: SafetyReport,
    /// What would be done, in this order; nothing when keeping was asked for.
    pub steps: Vec<Step>,
    /// Why it is not done, one reason each; none when it is.
    pub obstacles: Vec<String>,
    /// What tells whether the worktree is still as it was.
    pub(crate) seen: Seen,
}

/// One step of a removal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Step {
    /// What lies uncommitted in the tree is committed.
    Commit {
        /// How many paths that changes.
        paths: usize,
    },
    /// Work is put under rescue refs. What turns out to be held otherwise needs none.
    Rescue {
        /// Under which they will be, up to the number at the end.
        references: String,
        /// What is put there, in words.
        what: Vec<String>,
    },
    /// The tree is deleted, with files in it that nothing holds because git ignores them.
    DeleteTree {
        /// How many files are ignored.
        ignored: usize,
        /// How many bytes they have.
        bytes: u64,
    },
    /// The branch is deleted, if it still is where it was left and nobody else uses it.
    DeleteBranch {
        /// Which one.
        branch: BranchName,
    },
}

/// Numbers that change with what they stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) files: String,
    pub(crate) index: String,
    pub(crate) history: String,
    pub(crate) ignored: String,
}

impl Seen {
    /// What is no longer the same, in words; none when all is.
    pub(crate) fn changes(&self, now: &Self) -> Option<String> {
        let parts = [
            ("the files", &self.files, &now.files),
            ("what is staged", &self.index, &now.index),
            ("the commits", &self.history, &now.history),
            ("ignored files", &self.ignored, &now.ignored),
        ];
        let changed: Vec<_> = parts.iter().filter(|(_, then, now)| then != now).map(|(what, ..)| *what).collect();
        (!changed.is_empty()).then(|| changed.join(", "))
    }
}

impl fmt::Display for Removal {
    /// One line for each step, or for each reason not to do them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() || !self.obstacles.is_empty() {
            writeln!(f, "keep {:?}", self.path)?;
            return self.obstacles.iter().try_for_each(|why| writeln!(f, "because {why}"));
        }
        self.steps.iter().try_for_each(|step| match step {
            Step::DeleteTree { ignored: 0, .. } => writeln!(f, "delete {:?}", self.path),
            Step::DeleteTree { ignored, bytes } => {
                writeln!(f, "delete {:?}, with {ignored} ignored files of {bytes} bytes", self.path)
            }
            other => writeln!(f, "{other}"),
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commit { paths } => write!(f, "commit what is not committed, in {paths} paths"),
            Self::Rescue { references, what } => write!(f, "rescue {} under {references}", what.join(", ")),
            Self::DeleteTree { ignored, bytes } => {
                write!(f, "delete the tree, with {ignored} ignored files of {bytes} bytes")
            }
            Self::DeleteBranch { branch } => write!(f, "delete the branch {branch}"),
        }
    }
}
