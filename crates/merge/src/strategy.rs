//! The trait that turns a change into a candidate.

use std::fmt::{self, Debug};

use serde::{Deserialize, Serialize};

use crate::{Candidate, Change, CommitId, Conflict, Repository, Result, Target};

/// A way to bring a change onto a target.
///
/// Implementations are pure over objects: they read commits and trees, write new objects, and touch no ref, no index
/// and no working tree. The same input gives the same candidate id.
pub trait MergeStrategy: Debug + Send + Sync + 'static {
    /// Builds the commit that would land, or says why there is none.
    ///
    /// # Errors
    /// When an object is missing or cannot be read or written; a conflict is a value.
    fn prepare(&self, repository: &Repository, target: &Target, change: &Change) -> Result<Prepared>;
}

/// What came of preparing a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// A commit that no branch points to yet. Gate it, then [`land`](Repository::land) it.
    Candidate(Candidate),
    /// Both sides changed the same thing.
    Conflict(Conflict),
    /// The target contains the change already.
    AlreadyMerged,
    /// The target has all that the change would bring, though not its commits: nothing would change.
    Empty,
    /// The strategy does not do this to such a change. Another one may.
    Refused(Refusal),
}

/// Why a strategy does not apply to a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Refusal {
    /// The target has commits that the change has not, and only a fast-forward was allowed.
    Diverged,
    /// A commit of the series is a merge, which cannot be replayed as one change.
    MergeInside {
        /// That commit.
        commit: CommitId,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Diverged => f.write_str(
                "the target has commits that the change has not; bring the change up to date, or allow a merge",
            ),
            Self::MergeInside { commit } => {
                write!(f, "commit {commit} is a merge; flatten it, or join the change with a merge commit")
            }
        }
    }
}
