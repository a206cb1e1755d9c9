//! What a run came to.

use std::path::PathBuf;
use std::time::Duration;

use hedgerow_merge::BranchName;
use serde::{Deserialize, Serialize};

use crate::layout::RunDir;
use crate::state::{RunState, TaskState};
use crate::{Kept, Outcome, Stage, TaskId};

/// What a run came to, task by task in the order of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The name of the run.
    pub run: String,
    /// The branch that changes landed on.
    pub target: BranchName,
    /// Whether every task is over.
    pub finished: bool,
    /// The tasks.
    pub tasks: Vec<TaskReport>,
}

/// What a task came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskReport {
    /// Its name.
    pub task: TaskId,
    /// How it ended, or how far it is.
    pub status: Status,
    /// How many attempts there were.
    pub attempts: u32,
    /// How many commits the last capture had.
    pub commits: usize,
    /// How many files it touched.
    pub files: usize,
    /// Where work is kept that did not land.
    pub kept: Vec<Kept>,
    /// The time from the first attempt's beginning to the end.
    pub wall: Option<Duration>,
    /// The file with what the agent and the gate of the last attempt printed, once there was one.
    pub log: Option<PathBuf>,
}

/// How far a task is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Not begun, or to be begun again.
    Waiting,
    /// Underway at this stage, or it was when its process died.
    Underway(Box<Stage>),
    /// Over.
    Ended(Outcome),
}

impl Report {
    pub(crate) fn of(dir: &RunDir, state: &RunState) -> Self {
        let task = |id: &TaskId, own: &TaskState| TaskReport {
            task: id.clone(),
            status: status(own),
            attempts: own.attempts,
            commits: own.captured.as_ref().map_or(0, |(capture, _)| capture.commits),
            files: own.captured.as_ref().map_or(0, |(capture, _)| capture.files),
            kept: own.kept.clone(),
            wall: match own.times {
                (Some(begun), Some(ended)) => Some(Duration::from_millis(ended.saturating_sub(begun))),
                _ => None,
            },
            log: (own.attempts > 0).then(|| dir.log(id, own.attempts)),
        };
        let tasks = state.plan.tasks.iter().filter_map(|t| Some(task(&t.id, state.tasks.get(&t.id)?))).collect();
        Self { run: dir.id.as_str().to_owned(), target: state.target.clone(), finished: state.finished, tasks }
    }

    /// Whether every task has landed, or had nothing to do.
    pub fn success(&self) -> bool {
        self.tasks.iter().all(|task| matches!(task.status, Status::Ended(Outcome::Landed { .. } | Outcome::NoChange)))
    }
}

fn status(own: &TaskState) -> Status {
    match (&own.outcome, &own.stage) {
        (Some(outcome), _) => Status::Ended(outcome.clone()),
        (None, Some(stage)) if own.active() => Status::Underway(Box::new(stage.clone())),
        _ => Status::Waiting,
    }
}
