//! What a run looks like after some events: a pure fold, the same live and in recovery.

use std::collections::BTreeMap;

use hedgerow_merge::BranchName;
use hedgerow_worktree::Capture;

use crate::{AgentReport, Event, EventKind, Kept, Outcome, Plan, Stage, Task, TaskId};

/// A run as its events describe it.
#[derive(Clone, Debug)]
pub(crate) struct RunState {
    pub(crate) plan: Plan,
    pub(crate) target: BranchName,
    pub(crate) lane: String,
    pub(crate) gate: String,
    pub(crate) tasks: BTreeMap<TaskId, TaskState>,
    pub(crate) finished: bool,
    /// The number that the next event gets.
    pub(crate) next_seq: u64,
}

/// One task as its events describe it.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskState {
    /// The highest attempt so far.
    pub(crate) attempts: u32,
    /// How often its agent was asked to work.
    pub(crate) turn: u32,
    /// The last stage of that attempt.
    pub(crate) stage: Option<Stage>,
    /// What that attempt began with; set as soon as there is a stage.
    pub(crate) begun: Option<Begun>,
    /// How the task ended, once it has.
    pub(crate) outcome: Option<Outcome>,
    /// Where work of it is kept.
    pub(crate) kept: Vec<Kept>,
    /// When its first attempt began and when it ended, in milliseconds since the Unix epoch.
    pub(crate) times: (Option<u64>, Option<u64>),
    /// What was captured last, and how its agent had ended.
    pub(crate) captured: Option<(Capture, AgentReport)>,
}

/// What an attempt began with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Begun {
    pub(crate) worktree: hedgerow_worktree::WorktreeId,
    pub(crate) branch: hedgerow_worktree::BranchName,
    pub(crate) base: hedgerow_worktree::CommitId,
}

impl RunState {
    /// The state that a journal describes; none when its run never began.
    pub(crate) fn replay(events: &[Event]) -> Option<Self> {
        let (first, rest) = events.split_first()?;
        let EventKind::RunStarted { plan, target, lane, gate } = &first.kind else { return None };
        let mut state = Self::new(plan.clone(), target.clone(), lane.clone(), gate.clone());
        for event in rest {
            state.apply(event);
        }
        Some(state)
    }

    /// A run that has just begun: its first event has number 0.
    pub(crate) fn new(plan: Plan, target: BranchName, lane: String, gate: String) -> Self {
        let tasks = plan.tasks.iter().map(|task| (task.id.clone(), TaskState::default())).collect();
        Self { plan, target, lane, gate, tasks, finished: false, next_seq: 1 }
    }

    pub(crate) fn apply(&mut self, event: &Event) {
        self.next_seq = event.seq + 1;
        match &event.kind {
            EventKind::RunStarted { .. } => {}
            EventKind::RunFinished => self.finished = true,
            EventKind::Attempt { task, number, stage } => {
                if let Some(state) = self.tasks.get_mut(task) {
                    state.reach(*number, stage, event.at);
                }
            }
            EventKind::TaskFinished { task, outcome, kept } => {
                if let Some(state) = self.tasks.get_mut(task) {
                    state.outcome = Some(outcome.clone());
                    kept.iter().cloned().for_each(|kept| state.keep(kept));
                    state.times.1 = Some(event.at);
                }
            }
        }
    }

    pub(crate) fn task(&self, id: &TaskId) -> Option<&Task> {
        self.plan.tasks.iter().find(|task| task.id == *id)
    }
}

impl TaskState {
    fn reach(&mut self, number: u32, stage: &Stage, at: u64) {
        self.attempts = self.attempts.max(number);
        self.times.0.get_or_insert(at);
        match stage {
            Stage::Begun { worktree, branch, base } => {
                let (worktree, branch, base) = (worktree.clone(), branch.clone(), base.clone());
                self.begun = Some(Begun { worktree, branch, base });
                self.captured = None;
                self.turn = 1;
            }
            Stage::Again { turn, .. } => self.turn = *turn,
            Stage::Captured { capture, report } => {
                capture.rescued.iter().cloned().map(Kept::Rescue).for_each(|kept| self.keep(kept));
                self.captured = Some((capture.clone(), report.clone()));
            }
            Stage::Abandoned { kept } => kept.iter().cloned().for_each(|kept| self.keep(kept)),
            _ => {}
        }
        self.stage = Some(stage.clone());
    }

    /// Remembers a place once, however often it is reported.
    fn keep(&mut self, kept: Kept) {
        if !self.kept.contains(&kept) {
            self.kept.push(kept);
        }
    }

    /// Whether an attempt is underway, or was when its process died.
    pub(crate) fn active(&self) -> bool {
        self.outcome.is_none() && !matches!(self.stage, None | Some(Stage::Abandoned { .. }))
    }

    /// Whether the task can be started, its prerequisites apart.
    pub(crate) fn waiting(&self) -> bool {
        self.outcome.is_none() && !self.active()
    }

    pub(crate) fn landed(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Landed { .. }))
    }
}
