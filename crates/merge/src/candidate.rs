//! What comes out: a candidate, and what became of it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{CommitId, Engine, Loss, Made, Target};

/// A commit that would land, and that no branch points to yet.
///
/// As data it can be stored and landed by another process. Until it lands, nothing keeps git's garbage collection from
/// removing objects that are older than its grace period (two weeks by default).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[must_use = "a candidate does nothing until it lands"]
pub struct Candidate {
    /// The commit.
    pub commit: CommitId,
    /// Where it may land.
    pub target: Target,
    /// The tip of the change that it brings in.
    pub change: CommitId,
    /// The message for the target's reflog.
    pub reflog: String,
    /// How the commit brings the change in.
    #[serde(default)]
    pub made: Made,
    /// Who merged.
    #[serde(default)]
    pub engine: Engine,
    /// What of both sides is not in it, on purpose. Empty but for strategies that take one side alone.
    #[serde(default)]
    pub dropped: Vec<Loss>,
}

/// What to do when the target branch is checked out somewhere, in the main checkout or in a worktree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Checkout {
    /// Do not land.
    #[default]
    Refuse,
    /// Land and bring that checkout forward, if nothing in it is changed, staged, in the way or underway.
    ///
    /// Files that are ignored count as in the way too. This needs the `git` program, which works with the checkout's own
    /// configuration, filters included, but without hooks. Submodules are left at their commit. Files and index move
    /// first, then the branch; killed in between, the checkout has the candidate staged, and landing again finishes it.
    /// When git itself refuses at the last moment, the times (only) in the index may have been refreshed.
    FastForwardClean,
    /// As [`FastForwardClean`](Self::FastForwardClean), and changes to files that the landing does not touch stay as they
    /// are, staged or not, as `git merge` leaves them. Nothing is stashed.
    FastForwardCarrying,
    /// Land and leave that checkout where it is: its `HEAD` names the old commit from then on, and no branch.
    ///
    /// Not a file and not the index is touched, and `git switch -` goes back to the branch. Where a merge, a rebase or
    /// such is underway, the landing is refused.
    Detach,
}

/// What became of a candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[must_use = "a landing may not have happened"]
pub enum Landing {
    /// The target names the candidate now (or did already). The move is durable.
    Landed,
    /// The target was moved by somebody else. Nothing changed; prepare again on the new tip.
    TargetMoved {
        /// What the target names now, if it still exists.
        now: Option<CommitId>,
    },
    /// The target is checked out and [`Checkout`] forbids or cannot bring it forward. Nothing changed.
    CheckedOut {
        /// Where.
        path: PathBuf,
        /// What stands in the way and what to do.
        why: String,
    },
    /// The candidate has not what both sides did, and does not say so in [`Candidate::dropped`]. Nothing changed.
    WouldLose {
        /// What it lacks.
        losses: Vec<Loss>,
    },
}
