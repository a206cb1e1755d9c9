//! What a queue is told while it works.
//!
//! Every event is a fact that stays true: it may come late, twice, or after another one.

use serde::{Deserialize, Serialize};

use super::{ChangeId, Footprint, GateKey, GroupId, TreeId};
use crate::CommitId;

/// A fact that somebody reports to the queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Event {
    /// A change shall land.
    ///
    /// The same attempt again is the same; a higher attempt replaces a lower one, also one that was rejected.
    Enqueue(Submission),
    /// A change shall not land any more. If it is landing at this moment, it may land.
    Cancel {
        /// Which one.
        change: ChangeId,
    },
    /// What came of merging a change into a commit, without moving any branch.
    Prepared {
        /// The commit that it was merged into.
        base: CommitId,
        /// The change.
        change: ChangeId,
        /// Its tip that was merged.
        head: CommitId,
        /// What came of it.
        merge: Merge,
    },
    /// A run of a gate ended.
    GateDone {
        /// The tree that it ran on.
        tree: TreeId,
        /// The gate that ran.
        key: GateKey,
        /// The number of the run.
        run: u32,
        /// What it said.
        verdict: Verdict,
    },
    /// The target names, or contains, the commit of the landing that was asked for.
    Landed {
        /// The commit that the target was to be moved to.
        commit: CommitId,
    },
    /// The target is somewhere else than the queue thought, so that what was to land did not.
    ///
    /// Report a landing that happened as [`Event::Landed`] first, also if somebody moved the target on since.
    TargetMoved {
        /// Where it is.
        tip: Tip,
    },
    /// The gate is another one now; what others said does not count for it.
    GateChanged {
        /// The gate from now on.
        key: GateKey,
    },
    /// Somebody took durable note of the end of an attempt; the queue may forget it.
    Noted {
        /// The change.
        change: ChangeId,
        /// Its attempt.
        attempt: u32,
    },
    /// All actions that are outstanding are wanted again: after a restart, and from time to time.
    Resume,
}

/// A commit of the target.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tip {
    /// The commit.
    pub commit: CommitId,
    /// Its tree.
    pub tree: TreeId,
}

/// A change that shall land. Its tip is pinned: what its branch does afterwards is another attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Submission {
    /// The change.
    pub change: ChangeId,
    /// The number of its attempt. A higher one replaces a lower one.
    pub attempt: u32,
    /// Its tip.
    pub head: CommitId,
    /// The tree of its tip.
    pub tree: TreeId,
    /// The commit of the target that it was made on.
    pub base: CommitId,
    /// A gate that passed on its own tree already, with evidence that whoever enqueues it trusts.
    pub certificate: Option<GateKey>,
    /// The changes that must land before it.
    ///
    /// They are in the queue already, or landed not long ago; leave out what is known to have landed.
    pub needs: Vec<ChangeId>,
    /// The variants that it is one of.
    pub group: Option<GroupId>,
    /// How much it matters. One more is worth having waited for eight landings more.
    pub priority: i32,
    /// How likely it is to pass, in percent, if anybody has an opinion. The queue learns what such opinions are worth.
    pub likelihood: Option<u8>,
    /// What it touches.
    pub footprint: Footprint,
}

impl Submission {
    /// A first attempt that needs nothing, competes with nothing and touches nothing that is known.
    pub fn new(change: ChangeId, head: CommitId, tree: TreeId, base: CommitId) -> Self {
        Self {
            change,
            attempt: 1,
            head,
            tree,
            base,
            certificate: None,
            needs: Vec::new(),
            group: None,
            priority: 0,
            likelihood: None,
            footprint: Footprint::default(),
        }
    }
}

/// What came of merging a change into a commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Merge {
    /// A candidate: a commit that no branch names. The same merge gives the same commit whenever it is made.
    Made(Tip),
    /// Somebody has to decide.
    Conflict {
        /// Where, for people.
        paths: Vec<String>,
    },
    /// The commit contains the change already.
    Nothing,
}

/// What a run of a gate said.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// The tree is good.
    Passed,
    /// The tree is bad, or the gate is flaky.
    Failed {
        /// Which step failed, for people.
        step: String,
    },
    /// The gate could not run to its end, through no fault of the tree.
    Broken,
}
