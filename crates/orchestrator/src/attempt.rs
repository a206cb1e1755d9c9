//! One attempt at a task, from its worktree to its landing.
//!
//! A saga: each step is recorded before it acts, and [`resume`](Attempt::resume) enters at any recorded stage. Whatever
//! happens, the worktree is released at the end, and what did not land is put under a rescue ref.

use std::collections::BTreeMap;
use std::sync::Arc;

use hedgerow_worktree::{Capture, CommitId, Fate, Released, Worktree};
use tokio::sync::Mutex;

use crate::agents::CommandAgent;
use crate::dispatcher::Reporter;
use crate::handoff;
use crate::layout::RunDir;
use crate::services::Services;
use crate::shutdown::Watch;
use crate::state::{Begun, RunState, TaskState};
use crate::{AgentReport, Gate, GateSpec, Kept, Outcome, Result, Stage, Task};

/// One attempt and all that it needs.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) services: Arc<Services>,
    pub(crate) dir: RunDir,
    pub(crate) target: hedgerow_merge::BranchName,
    /// The command-line agents of the plan.
    pub(crate) agents: Arc<BTreeMap<String, CommandAgent>>,
    pub(crate) gate: GateSpec,
    /// Held from preparing a candidate until it has landed, so that no gate's verdict goes stale.
    pub(crate) turn: Arc<Mutex<()>>,
    pub(crate) task: Task,
    pub(crate) number: u32,
    pub(crate) begun: Option<Begun>,
    pub(crate) tree: Option<Worktree>,
    pub(crate) rest: Rest,
    /// How often the agent was asked to work.
    pub(crate) turn_of_agent: u32,
    /// What it was told the last time, if that was not its task.
    pub(crate) follow_up: Option<String>,
    /// The tip that failed the gate last.
    pub(crate) judged: Option<CommitId>,
    pub(crate) reporter: Reporter,
    pub(crate) watch: Watch,
}

/// Whether anything may still run in the worktree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Nothing does.
    Certain,
    /// A sandbox was started, or may be, and it is not known that it has ended: the tree must stay.
    Unknown,
}

impl Attempt {
    /// Begins a new attempt and drives it to its end.
    ///
    /// # Errors
    /// Only when nothing can be recorded any more; everything else is an outcome.
    pub(crate) async fn run(mut self) -> Result<()> {
        let outcome = self.work_and_land().await;
        self.conclude(outcome).await
    }

    /// Drives an attempt to its end that an earlier process had begun.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub(crate) async fn resume(mut self, state: TaskState) -> Result<()> {
        self.begun = state.begun.clone();
        match self.pick_up(state).await {
            Ok(Some(outcome)) => self.conclude(Ok(outcome)).await,
            Ok(None) => self.abandon().await,
            Err(error) => self.conclude(Err(error)).await,
        }
    }

    async fn work_and_land(&mut self) -> Result<Outcome> {
        let (repository, target) = (self.services.repository.clone(), self.target.clone());
        let tip = handoff::blocking("reading the target", move || repository.tip(&target)).await??;
        let begun = handoff::begin(&self.dir.id, &self.task.id, self.number, &tip)?;
        let (worktree, branch, base) = (begun.worktree.clone(), begun.branch.clone(), begun.base.clone());
        self.stage(Stage::Begun { worktree, branch, base }).await?;
        let git = handoff::git_access(&*self.services.lane);
        let request = handoff::agent_tree(&begun, git, self.services.seed.clone());
        self.begun = Some(begun);
        let tree = self.services.worktrees.create(request).await?;
        let path = tree.path().to_owned();
        self.tree = Some(tree);
        self.stage(Stage::Working { path }).await?;
        let report = self.work().await?;
        self.stage(Stage::Worked { report: report.clone() }).await?;
        let outcome = self.capture_and_land(report).await?;
        self.go_on(outcome).await
    }

    pub(crate) async fn capture_and_land(&mut self, report: AgentReport) -> Result<Outcome> {
        let Some(tree) = &self.tree else {
            return Ok(Outcome::Broken { why: "the worktree is gone before its work was captured".into() });
        };
        let capture = self.services.worktrees.capture(tree, handoff::message(&self.task)).await?;
        self.stage(Stage::Captured { capture: capture.clone(), report: report.clone() }).await?;
        self.settle(capture, report).await
    }

    /// What git says comes first, then what the agent says.
    async fn settle(&mut self, capture: Capture, report: AgentReport) -> Result<Outcome> {
        match report {
            AgentReport::Failed { why } => Ok(Outcome::AgentFailed { why }),
            AgentReport::Stopped => Ok(Outcome::Cancelled),
            AgentReport::Done => match handoff::missing(self.tree.as_ref(), &capture) {
                Some(why) => Ok(Outcome::Incomplete { why }),
                None if capture.tip == capture.base => Ok(Outcome::NoChange),
                None if self.judged.as_ref() == Some(&capture.tip) => Ok(self.still_red()),
                None => {
                    let outcome = self.land(&capture).await?;
                    self.judged = matches!(outcome, Outcome::GateFailed { .. }).then_some(capture.tip);
                    Ok(outcome)
                }
            },
        }
    }

    /// Enters where an earlier process was; none when the agent has to start again.
    async fn pick_up(&mut self, state: TaskState) -> Result<Option<Outcome>> {
        self.turn_of_agent = state.turn;
        if let Some(Stage::Again { prompt, .. }) = &state.stage {
            self.follow_up = Some(prompt.clone());
        }
        match self.pick_up_stage(state).await? {
            Some(outcome) => self.go_on(outcome).await.map(Some),
            None => Ok(None),
        }
    }

    async fn pick_up_stage(&mut self, state: TaskState) -> Result<Option<Outcome>> {
        let captured = state.captured;
        match (state.stage, captured) {
            (Some(Stage::Working { .. } | Stage::Again { .. }), _) => match self.adopt().await? {
                Some(report) => {
                    self.stage(Stage::Worked { report: report.clone() }).await?;
                    self.capture_and_land(report).await.map(Some)
                }
                None => Ok(None),
            },
            (Some(Stage::Worked { report }), _) => self.capture_and_land(report).await.map(Some),
            (Some(Stage::Captured { capture, report }), _) => self.settle(capture, report).await.map(Some),
            // The target may have moved since, so the candidate is made again; the same input gives the same one.
            (Some(Stage::Gating { .. }), Some((capture, _))) => self.land(&capture).await.map(Some),
            (Some(Stage::Landing { candidate }), Some((capture, _))) => {
                self.land_gated(candidate, &capture).await.map(Some)
            }
            (Some(Stage::Landed { commit }), captured) => {
                let (commits, files) = captured.map_or((0, 0), |(c, _)| (c.commits, c.files));
                Ok(Some(Outcome::Landed { commit, commits, files }))
            }
            (Some(Stage::Failed { outcome }), _) => Ok(Some(outcome)),
            _ => Ok(None),
        }
    }

    /// Puts the worktree away and ends the task.
    async fn conclude(mut self, outcome: Result<Outcome>) -> Result<()> {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error @ crate::Error::Gone { .. }) => return Err(error),
            Err(error) => Outcome::Broken { why: error.chain() },
        };
        if !matches!(outcome, Outcome::Landed { .. }) {
            self.stage(Stage::Failed { outcome: outcome.clone() }).await?;
        }
        let kept = self.put_away(&outcome).await;
        self.reporter.finished(self.task.id, outcome, kept).await
    }

    /// Puts the worktree of an interrupted attempt away, so that the task can be tried again.
    async fn abandon(mut self) -> Result<()> {
        let kept = self.put_away(&Outcome::Cancelled).await;
        self.stage(Stage::Abandoned { kept }).await
    }

    /// Releases the worktree; an error leaves it where it is, and says so.
    ///
    /// A process that died here may have removed the worktree and nothing else, so the rest does not depend on it.
    async fn put_away(&mut self, outcome: &Outcome) -> Vec<Kept> {
        let Some(begun) = &self.begun else { return Vec::new() };
        let mut kept = match self.tree.take() {
            None => self.put_away_before(begun).await,
            Some(tree) if self.rest == Rest::Unknown => {
                let why = "its sandbox could not be ended; the next start ends it and puts the work away";
                return vec![Kept::Tree { path: tree.path().to_owned(), why: why.into() }];
            }
            Some(tree) => {
                let path = tree.path().to_owned();
                let disposition = handoff::disposition(outcome, begun);
                match self.services.worktrees.release(tree, disposition).await.map_err(crate::Error::from) {
                    Ok(released) => kept(released),
                    Err(error) => vec![Kept::Tree { path, why: error.chain() }],
                }
            }
        };
        for tree in std::iter::once(begun.worktree.clone()).chain(handoff::gate_tree_id(begun).ok()) {
            let (dir, name) = (self.dir.clone(), tree.to_string());
            let forgotten = handoff::blocking("removing a home", move || dir.forget(&name)).await;
            if let Err(error) = forgotten.and_then(|forgotten| forgotten) {
                let why = format!("a home directory could not be removed: {}", error.chain());
                kept.push(Kept::Tree { path: self.dir.home_path(tree.as_str()), why });
            }
        }
        kept
    }

    /// Where the work is of a worktree that an earlier process had put away, just before it died.
    async fn put_away_before(&self, begun: &Begun) -> Vec<Kept> {
        match self.services.worktrees.rescues(&begun.worktree).await {
            Ok(rescues) => rescues.into_iter().map(Kept::Rescue).collect(),
            Err(error) => {
                let why = format!("what its rescue refs are could not be read: {}", crate::Error::from(error).chain());
                vec![Kept::Tree { path: self.dir.state().to_owned(), why }]
            }
        }
    }

    pub(crate) async fn stage(&self, stage: Stage) -> Result<()> {
        self.reporter.stage(&self.task.id, self.number, stage).await
    }

    pub(crate) fn judge(&self) -> Arc<dyn Gate> {
        self.services.gate.clone().unwrap_or_else(|| Arc::new(self.gate.clone()))
    }
}

/// The attempts of a state that were underway.
pub(crate) fn underway(state: &RunState) -> Vec<(Task, TaskState)> {
    let active = |task: &Task| {
        let own = state.tasks.get(&task.id).filter(|own| own.active())?;
        Some((task.clone(), own.clone()))
    };
    state.plan.tasks.iter().filter_map(active).collect()
}

pub(crate) fn kept(released: Released) -> Vec<Kept> {
    let tree = match released.fate {
        Fate::Kept { path, why, .. } => Some(Kept::Tree { path, why: why.unwrap_or_default() }),
        // Whatever else becomes of a tree, it is not left in place.
        _ => None,
    };
    released.rescues.into_iter().map(Kept::Rescue).chain(tree).collect()
}
