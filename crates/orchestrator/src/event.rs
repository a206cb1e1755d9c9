//! What happens in a run, as data.
//!
//! Events are at once the journal's records, the live stream and the replay. Their serde form is versioned by
//! [`FORMAT`](crate::journal::FORMAT).

use std::path::PathBuf;

use hedgerow_merge::{BranchName, Candidate, Conflict};
use hedgerow_worktree::{Capture, CommitId, Rescue, WorktreeId};
use serde::{Deserialize, Serialize};

use crate::{AgentReport, Plan, TaskId, Verdict};

/// One thing that happened, numbered without gaps within its run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its number: 0, 1, 2, …
    pub seq: u64,
    /// When, in milliseconds since the Unix epoch, by the clock of the machine.
    pub at: u64,
    /// What.
    pub kind: EventKind,
}

/// The kinds of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum EventKind {
    /// A run began. Always the first event.
    RunStarted {
        /// The plan.
        plan: Plan,
        /// The branch that changes land on.
        target: BranchName,
        /// The name of the lane that agents and gates run in; only the same lane can go on with the run.
        lane: String,
        /// The name of the gate; only the same gate can go on with the run.
        gate: String,
    },
    /// An attempt reached a stage.
    Attempt {
        /// Whose.
        task: TaskId,
        /// Which one: 1, 2, …
        number: u32,
        /// The stage.
        stage: Stage,
    },
    /// A task is over.
    TaskFinished {
        /// Which.
        task: TaskId,
        /// How.
        outcome: Outcome,
        /// Where its work is, when it did not land.
        kept: Vec<Kept>,
    },
    /// The run is over. Always the last event.
    RunFinished,
}

/// How far an attempt is.
///
/// A stage that begins an action is recorded before the action, one that ends it after: what comes after a crash is
/// decided from the last stage alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Stage {
    /// A worktree is about to be created.
    Begun {
        /// Its id.
        worktree: WorktreeId,
        /// Its branch.
        branch: hedgerow_worktree::BranchName,
        /// The commit that it starts from.
        base: CommitId,
    },
    /// The agent is about to start.
    Working {
        /// Where its worktree is.
        path: PathBuf,
    },
    /// The agent has ended, and everything that it had started with it.
    Worked {
        /// How it ended.
        report: AgentReport,
    },
    /// What it left is a commit now.
    Captured {
        /// Which commit, and what else was found.
        capture: Capture,
        /// How the agent had ended.
        report: AgentReport,
    },
    /// A candidate is about to be gated.
    Gating {
        /// The candidate.
        candidate: Candidate,
    },
    /// The gate, if there is one, has passed; the candidate is about to land.
    Landing {
        /// The candidate.
        candidate: Candidate,
    },
    /// The gate was red; the agent is about to work again, in the same worktree and home.
    Again {
        /// Which time this is: 2, 3, …
        turn: u32,
        /// What it is told.
        prompt: String,
    },
    /// The candidate has landed; the worktree is about to be removed.
    Landed {
        /// The commit that the target names, or named at that moment.
        commit: CommitId,
    },
    /// The attempt will not land; its work is about to be put away.
    Failed {
        /// Why.
        outcome: Outcome,
    },
    /// The attempt was interrupted; its work was put away, and the task will be tried again.
    Abandoned {
        /// Where the work is, if there was any.
        kept: Vec<Kept>,
    },
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Outcome {
    /// Its change is on the target.
    Landed {
        /// The merge commit.
        commit: CommitId,
        /// How many commits the change has.
        commits: usize,
        /// How many files it touches.
        files: usize,
    },
    /// The agent said that it was done and had changed nothing.
    NoChange,
    /// The agent did not succeed.
    AgentFailed {
        /// Why, in one line.
        why: String,
    },
    /// Part of what the agent left could not be captured, so that nothing of it lands.
    Incomplete {
        /// What, in one line.
        why: String,
    },
    /// The change and the target contradict each other.
    Conflict {
        /// Where and how.
        conflict: Conflict,
    },
    /// The candidate did not pass.
    GateFailed {
        /// What the gate said.
        verdict: Verdict,
    },
    /// The target could not be moved.
    NotLanded {
        /// Why and what to do.
        why: String,
    },
    /// A task that it needs did not land.
    Skipped {
        /// Which.
        because: TaskId,
    },
    /// The run was stopped.
    Cancelled,
    /// Our machinery failed.
    Broken {
        /// How.
        why: String,
    },
}

/// A place where work is kept that did not land.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kept {
    /// A commit under a ref.
    Rescue(Rescue),
    /// A directory that is still there: a worktree, or the home of its agent.
    Tree {
        /// Where.
        path: PathBuf,
        /// Why it was not put away.
        why: String,
    },
}

/// What a live observer sees.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Live {
    /// An event, as it is in the journal. It is durable already.
    Event(Box<Event>),
    /// A piece of what an agent or a gate prints. Not in the journal; the task's log has it.
    Output {
        /// Whose.
        task: TaskId,
        /// The text, with what is no UTF-8 replaced.
        text: String,
    },
    /// The observer was too slow and missed this many messages. The journal has the events among them.
    Missed(u64),
}
