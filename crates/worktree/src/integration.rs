//! Whether a piece of work is part of another line of history.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::CommitId;

/// How the commits of a worktree are part of another commit, decided by what they contain and never by a name.
///
/// Only what is proven counts as integrated. A wrong [`NotIntegrated`](Self::NotIntegrated) costs one rescue ref.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Integration {
    /// It is this very commit.
    SameCommit,
    /// Its history contains the commits, and nothing in it takes their change back.
    Ancestor,
    /// All commits together change nothing, so there is nothing to integrate. What they held in between is nowhere else.
    EmptyChange,
    /// Every path that the commits change is there exactly as they leave it.
    SameTree,
    /// Its history has the same patches: cherry-picked, rebased or squashed into one.
    Patches {
        /// The commits that have them, the newest first.
        by: Vec<CommitId>,
    },
    /// Not all of it is there, or it was taken back again.
    NotIntegrated {
        /// The commits whose change is not there, the newest first.
        missing: Vec<CommitId>,
    },
    /// It could not be told.
    Unknown {
        /// Why, in words.
        why: String,
    },
}

impl Integration {
    /// Whether the work as it was left is provably part of the other commit.
    ///
    /// False for [`EmptyChange`](Self::EmptyChange): commits that undo one another may still hold something.
    pub fn is_integrated(&self) -> bool {
        matches!(self, Self::SameCommit | Self::Ancestor | Self::SameTree | Self::Patches { .. })
    }
}

impl fmt::Display for Integration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameCommit => f.write_str("it is that very commit"),
            Self::Ancestor => f.write_str("its commits are in that history"),
            Self::EmptyChange => f.write_str("its commits add up to no change"),
            Self::SameTree => f.write_str("all that it changes is there with the same content"),
            Self::Patches { by } => write!(f, "its patches are there, in {}", list(by)),
            Self::NotIntegrated { missing } => write!(f, "it is not all there: {}", list(missing)),
            Self::Unknown { why } => write!(f, "it cannot be told: {why}"),
        }
    }
}

/// The first few commits, and how many more there are.
fn list(commits: &[CommitId]) -> String {
    const SHOWN: usize = 3;
    let mut text = commits.iter().take(SHOWN).map(CommitId::as_str).collect::<Vec<_>>().join(", ");
    if let Some(more) = commits.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}
