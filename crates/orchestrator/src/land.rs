//! The part of an attempt that brings its change onto the target.

use hedgerow_merge::{Candidate, Landing, Prepared, Target};
use hedgerow_worktree::{Capture, Disposition, Worktree};

use crate::attempt::Attempt;
use crate::context::{AgentContext, later};
use crate::shutdown::Phase;
use crate::{Error, GateSpec, Outcome, Result, Stage, Verdict, handoff};

/// How often a candidate is made again because somebody else moved the target meanwhile.
const TRIES: usize = 8;

/// What came of one try to land.
enum Try {
    Over(Outcome),
    TargetMoved,
}

impl Attempt {
    /// Prepares a candidate, gates it and lands it; again from the start when the target moved meanwhile.
    pub(crate) async fn land(&mut self, capture: &Capture) -> Result<Outcome> {
        let Some(_turn) = self.take_turn().await else { return Ok(Outcome::Cancelled) };
        for _ in 0..TRIES {
            let candidate = match self.prepare(capture).await? {
                Prepared::Candidate(candidate) => candidate,
                Prepared::AlreadyMerged => return self.landed(capture).await,
                Prepared::Conflict(conflict) => return Ok(Outcome::Conflict { conflict }),
                Prepared::Empty => {
                    let why = format!("{} has all of it already, in other commits", self.target);
                    return Ok(Outcome::NotLanded { why });
                }
                Prepared::Refused(refusal) => return Ok(Outcome::NotLanded { why: refusal.to_string() }),
            };
            if self.gated() {
                self.stage(Stage::Gating { candidate: candidate.clone() }).await?;
                match self.judge_candidate(&candidate).await? {
                    Verdict::Passed => {}
                    Verdict::Stopped => return Ok(Outcome::Cancelled),
                    verdict @ Verdict::Failed { .. } => return Ok(Outcome::GateFailed { verdict }),
                }
            }
            self.stage(Stage::Landing { candidate: candidate.clone() }).await?;
            if let Try::Over(outcome) = self.move_target(candidate, capture).await? {
                return Ok(outcome);
            }
        }
        let why = format!("{} was moved by others {TRIES} times in a row; run the task again", self.target);
        Ok(Outcome::NotLanded { why })
    }

    /// Lands a candidate whose gate had passed before a restart.
    pub(crate) async fn land_gated(&mut self, candidate: Candidate, capture: &Capture) -> Result<Outcome> {
        if self.is_on_target(&candidate).await? {
            return self.landed_as(&candidate, capture).await;
        }
        {
            let Some(_turn) = self.take_turn().await else { return Ok(Outcome::Cancelled) };
            if let Try::Over(outcome) = self.move_target(candidate, capture).await? {
                return Ok(outcome);
            }
        }
        self.land(capture).await
    }

    /// Waits until no other attempt of this run is between preparing and landing; none when the run is being stopped.
    async fn take_turn(&mut self) -> Option<tokio::sync::OwnedMutexGuard<()>> {
        if self.watch.phase() != Phase::Run {
            return None;
        }
        tokio::select! {
            turn = std::sync::Arc::clone(&self.turn).lock_owned() => Some(turn),
            _ = self.watch.beyond(Phase::Run) => None,
        }
    }

    async fn prepare(&self, capture: &Capture) -> Result<Prepared> {
        let (repository, strategy) = (self.services.repository.clone(), self.services.strategy.clone());
        let change = handoff::change(&self.task, self.number, capture)?;
        let branch = self.target.clone();
        let prepare = move || {
            let expected = repository.tip(&branch)?;
            strategy.prepare(&repository, &Target { branch, expected }, &change)
        };
        Ok(handoff::blocking("the merge strategy", prepare).await??)
    }

    async fn move_target(&mut self, candidate: Candidate, capture: &Capture) -> Result<Try> {
        let (repository, checkout) = (self.services.repository.clone(), self.services.checkout);
        let land = {
            let (candidate, pass) = (candidate.clone(), self.pass());
            move || {
                // Said before it lands, so that nothing is ever landed of which nobody can tell why.
                if let Some(losses) = handoff::certify(&repository, &candidate, pass)? {
                    return Ok(Landing::WouldLose { losses });
                }
                repository.land(&candidate, checkout)
            }
        };
        let landing = handoff::blocking("the landing", land).await??;
        Ok(match landing {
            Landing::Landed => Try::Over(self.landed_as(&candidate, capture).await?),
            Landing::TargetMoved { .. } => Try::TargetMoved,
            Landing::WouldLose { losses } => {
                let why = format!("the candidate would lose work in {} place(s): {losses:?}", losses.len());
                Try::Over(Outcome::NotLanded { why })
            }
            Landing::CheckedOut { path, why } => {
                let why = format!("{} is checked out at {}: {why}", self.target, path.display());
                Try::Over(Outcome::NotLanded { why })
            }
        })
    }

    /// The change is on the target already, for example because it landed just before a crash.
    async fn landed(&mut self, capture: &Capture) -> Result<Outcome> {
        let (repository, target) = (self.services.repository.clone(), self.target.clone());
        let tip = handoff::blocking("reading the target", move || repository.tip(&target)).await??;
        let commit = handoff::to_worktree(&tip)?;
        self.stage(Stage::Landed { commit: commit.clone() }).await?;
        Ok(Outcome::Landed { commit, commits: capture.commits, files: capture.files })
    }

    async fn landed_as(&self, candidate: &Candidate, capture: &Capture) -> Result<Outcome> {
        let commit = handoff::to_worktree(&candidate.commit)?;
        self.stage(Stage::Landed { commit: commit.clone() }).await?;
        Ok(Outcome::Landed { commit, commits: capture.commits, files: capture.files })
    }

    /// Whether a candidate had landed before a crash, whatever landed on top of it since.
    async fn is_on_target(&self, candidate: &Candidate) -> Result<bool> {
        let (repository, candidate) = (self.services.repository.clone(), candidate.clone());
        let look = move || {
            let tip = repository.tip(&candidate.target.branch)?;
            repository.contains(&tip, &candidate.commit)
        };
        Ok(handoff::blocking("reading the target", look).await??)
    }

    /// The gate that the candidate has passed, if there is one, as certificates call it.
    fn pass(&self) -> Option<handoff::Pass> {
        let lane = self.services.lane.name();
        self.gated().then(|| match &self.services.gate {
            Some(gate) => handoff::Pass::of_rust(gate.name(), lane),
            None => handoff::Pass::of_plan(&self.gate, lane),
        })
    }

    fn gated(&self) -> bool {
        self.services.gate.is_some() || self.gate != GateSpec::None
    }

    /// Runs the gate in a sandbox of its own on a clean worktree of exactly the candidate.
    async fn judge_candidate(&mut self, candidate: &Candidate) -> Result<Verdict> {
        let Some(begun) = &self.begun else { return Err(Error::Gone { what: "the attempt" }) };
        let git = handoff::git_access(&*self.services.lane);
        let request = handoff::gate_tree(begun, candidate, git)?;
        let tree = self.services.worktrees.create(request).await?;
        let verdict = self.judge_tree(&tree).await;
        self.services.worktrees.release(tree, Disposition::Discard).await?;
        verdict
    }

    async fn judge_tree(&self, tree: &Worktree) -> Result<Verdict> {
        // A home of its own, and a new one: what agents, or the code of an earlier try, left must not reach the gate.
        self.dir.forget(tree.id().as_str())?;
        let home = self.dir.home(tree.id().as_str())?;
        let spec = handoff::sandbox_of(&self.dir, tree, &self.services.gate_policy, &home, None)?;
        let judge = self.judge();
        let deadline = judge.deadline();
        let mut running = self.services.lane.start(spec).await?;
        let verdict = {
            let mut context = AgentContext {
                task: &self.task.id,
                turn: self.turn_of_agent,
                prompt: "",
                prompt_file: std::path::PathBuf::new(),
                tree: tree.path().to_owned(),
                env: &std::collections::BTreeMap::new(),
                until: later(deadline),
                idle: None,
                running: &mut *running,
                reporter: self.reporter.clone(),
                watch: self.watch.clone(),
                log: self.dir.log(&self.task.id, self.number),
                tail: Vec::new(),
            };
            let overdue = tokio::time::sleep(deadline.saturating_add(crate::work::SLACK));
            let mut watch = self.watch.clone();
            tokio::select! {
                verdict = judge.judge(&mut context) => verdict,
                () = overdue => Ok(Verdict::Failed { why: "the gate did not end after its deadline".into() }),
                _ = watch.beyond(Phase::Stop) => Ok(Verdict::Stopped),
            }
        };
        running.stop(handoff::GRACE).await?;
        match verdict {
            Err(Error::Sandbox(error @ hedgerow_sandbox::Error::Program { .. })) => {
                Ok(Verdict::Failed { why: format!("the gate cannot run: {error}") })
            }
            other => other,
        }
    }
}
