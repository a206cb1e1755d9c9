//! What a queue wants done.
//!
//! Every action may be asked for again, after a restart above all, and must then do no harm.

use serde::{Deserialize, Serialize};

use super::{ChangeId, GateKey, Guarantee, Tip, TreeId};
use crate::CommitId;

/// What whoever drives the queue shall do. Save the state that came with it first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Action {
    /// Merge a change into exactly this commit, and report [`Event::Prepared`](super::Event::Prepared).
    Prepare {
        /// The commit: the target's, or a candidate that was made earlier.
        base: CommitId,
        /// The change.
        change: ChangeId,
        /// Its pinned tip.
        head: CommitId,
    },
    /// Run the gate on a tree, and report [`Event::GateDone`](super::Event::GateDone).
    ///
    /// If this very run is going on, do nothing; if it ended, report it again; if it was lost, start it again.
    StartGate(GateRun),
    /// End a run whose verdict nobody needs any more. A verdict that comes anyway is welcome.
    CancelGate(GateRun),
    /// Move the target by compare-and-swap, and report [`Event::Landed`](super::Event::Landed) or
    /// [`Event::TargetMoved`](super::Event::TargetMoved).
    ///
    /// A target that names or contains the commit already is a landing that happened.
    Land(Landing),
    /// An attempt is over. Take durable note, then report [`Event::Noted`](super::Event::Noted).
    End {
        /// The change.
        change: ChangeId,
        /// Its attempt.
        attempt: u32,
        /// How it ended.
        end: End,
    },
    /// The target itself fails its gate: what fails on it waits until the target moves. Somebody should know.
    TargetRed {
        /// The tip that fails.
        tip: Tip,
    },
}

/// One run of a gate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GateRun {
    /// A commit with the tree.
    pub commit: CommitId,
    /// The tree: the verdict is about it.
    pub tree: TreeId,
    /// The gate.
    pub key: GateKey,
    /// The number of the run on this tree. A higher one is asked for when a verdict may be a flake.
    pub run: u32,
}

/// A move of the target.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Landing {
    /// What the target must name before.
    pub expected: CommitId,
    /// What it names afterwards.
    pub to: Tip,
    /// The guarantee that it is made under.
    pub guarantee: Guarantee,
    /// The gate of all proofs.
    pub key: GateKey,
    /// The changes that land, in the order of their commits.
    pub changes: Vec<Landed>,
}

/// One change of a landing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Landed {
    /// The change.
    pub change: ChangeId,
    /// The commit that brings it in.
    pub commit: Tip,
    /// What is known of it.
    pub proof: Proof,
}

/// Why a commit may land.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Proof {
    /// A gate passed on exactly its tree.
    Gated {
        /// How many runs failed on the same tree before or after: more than none means a flaky gate.
        flaked: u32,
    },
    /// A gate passed on exactly its tree before it was enqueued, says its certificate.
    Certified,
    /// Only a later commit of the same landing passed.
    Covered,
    /// A gate passed on another tree, which differs by changes that it is not related to.
    Carried {
        /// The tree that passed.
        tree: TreeId,
    },
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum End {
    /// It is on the target.
    Landed {
        /// The commit that brought it in.
        commit: CommitId,
    },
    /// The target contained it before it could land.
    AlreadyLanded,
    /// It cannot land.
    Rejected(Rejection),
    /// Another variant landed; keep this one where it can be found.
    Archived {
        /// The variant that landed.
        winner: ChangeId,
    },
    /// Somebody did not want it any more.
    Cancelled,
    /// A higher attempt took its place.
    Superseded,
}

/// Why a change cannot land.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Rejection {
    /// It does not merge with the target.
    Conflict {
        /// The target's tip.
        tip: CommitId,
        /// Where.
        paths: Vec<String>,
    },
    /// The target is good, and with this change it is not.
    GateFailed {
        /// The tree that failed.
        tree: TreeId,
        /// The step that failed, in the last run.
        step: String,
        /// How often it ran; all runs failed.
        runs: u32,
    },
    /// It passes alone, and fails together with a change that landed since.
    Pair {
        /// That change.
        with: ChangeId,
        /// The tree that failed.
        tree: TreeId,
        /// The step that failed.
        step: String,
    },
    /// The gate broke again and again.
    GateBroken,
    /// A change that it needs did not land, or is not known.
    NeedNotLanded {
        /// That change.
        need: ChangeId,
    },
    /// It needs itself.
    NeedsItself,
}
