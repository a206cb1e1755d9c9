//! What is remembered about a worktree, also when it is gone.

use serde::{Deserialize, Serialize};

use crate::{BranchName, CommitId, Rescue, State, WorktreeId};

/// One step in the life of one worktree, as it was written down when it was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Milestone {
    /// The id of the worktree.
    pub worktree: WorktreeId,
    /// Tells apart the worktrees that had this id one after the other.
    pub incarnation: String,
    /// When, in seconds since 1970.
    pub at: u64,
    /// What was reached.
    pub life: Life,
}

/// The lives of worktrees: created, perhaps adopted or kept, then merged, archived, discarded or vanished, then gone.
///
/// After a kill, recovery may take a worktree over whose end was written down already: what comes last counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Life {
    /// It became visible, leased to its creator.
    Created {
        /// The commit that it started from.
        base: CommitId,
        /// Its branch, if it has one.
        branch: Option<BranchName>,
    },
    /// Its owner changed.
    Adopted {
        /// What it was before: orphaned by a dead owner, or kept.
        from: State,
    },
    /// Its owner passed it on to another one.
    HandedOver,
    /// It was released and left in place.
    Kept {
        /// Why, if its removal had been asked for.
        why: Option<String>,
        /// Where work of it was put nevertheless.
        rescues: Vec<Rescue>,
    },
    /// It was released as merged.
    Merged {
        /// The commit that contains the work.
        into: CommitId,
        /// Where that was put which the commit did not contain after all.
        rescues: Vec<Rescue>,
    },
    /// It was released without being merged.
    Archived {
        /// Where its work is; empty when there was none.
        rescues: Vec<Rescue>,
    },
    /// It was a detached tree in which nobody worked.
    Discarded,
    /// Somebody removed it by other means.
    Vanished,
    /// Nothing of it is in place any more.
    Gone,
}
