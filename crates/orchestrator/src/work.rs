//! The part of an attempt that runs the agent.

use std::time::Duration;

use hedgerow_sandbox::Running;

use crate::agents::CommandAgent;
use crate::attempt::{Attempt, Rest};
use crate::context::{AgentContext, later};
use crate::shutdown::Phase;
use crate::{Agent, AgentReport, Error, Result, handoff};

/// How much longer than its deadline an agent may take to give up by itself.
pub(crate) const SLACK: Duration = Duration::from_secs(30);

impl Attempt {
    /// Runs the agent in its sandbox until it is over, and everything that it started with it.
    pub(crate) async fn work(&mut self) -> Result<AgentReport> {
        let agent = self.agent()?;
        let Some(tree) = &self.tree else { return Err(Error::Gone { what: "the worktree" }) };
        let home = self.dir.home(tree.id().as_str())?;
        let prompt = self.dir.prompt(&self.task.id, self.told())?;
        let spec = handoff::sandbox_of(&self.dir, tree, &self.services.policy, &home, prompt.parent())?;
        let mut running = self.services.lane.start(spec).await?;
        self.rest = Rest::Unknown;
        let mut watch = self.watch.clone();
        let report = {
            let mut context = self.context(&mut *running, prompt);
            let overdue = tokio::time::sleep(self.task.deadline.saturating_add(SLACK));
            tokio::select! {
                report = agent.run(&mut context) => report,
                () = overdue => Ok(AgentReport::Failed { why: "did not end after its deadline".into() }),
                _ = watch.beyond(Phase::Stop) => Ok(AgentReport::Stopped),
            }
        };
        running.stop(handoff::GRACE).await?;
        self.rest = Rest::Certain;
        expected(report)
    }

    /// Waits for an agent that an earlier process of ours had started; none when it has to start again.
    pub(crate) async fn adopt(&mut self) -> Result<Option<AgentReport>> {
        let Some(begun) = &self.begun else { return Ok(None) };
        let id = handoff::sandbox_id(&self.dir, &begun.worktree)?;
        self.rest = Rest::Unknown;
        let Some(mut running) = self.services.lane.adopt(&id).await? else {
            self.rest = Rest::Certain;
            return Ok(None);
        };
        let report = self.follow_adopted(&mut *running).await;
        running.stop(handoff::GRACE).await?;
        self.rest = Rest::Certain;
        report
    }

    async fn follow_adopted(&self, running: &mut dyn Running) -> Result<Option<AgentReport>> {
        if self.tree.is_none() {
            return Ok(None);
        }
        let agent = self.agent()?;
        let prompt = self.dir.prompt(&self.task.id, self.told())?;
        let Some(process) = running.resume().await? else { return Ok(None) };
        let exit = self.context(running, prompt).follow(process).await?;
        agent.resumed(exit).await
    }

    fn context<'a>(&'a self, running: &'a mut dyn Running, prompt_file: std::path::PathBuf) -> AgentContext<'a> {
        AgentContext {
            task: &self.task.id,
            turn: self.turn_of_agent,
            prompt: self.told(),
            prompt_file,
            tree: self.tree.as_ref().map(|tree| tree.path().to_owned()).unwrap_or_default(),
            env: &self.task.env,
            until: later(self.task.deadline),
            idle: self.task.idle,
            running,
            reporter: self.reporter.clone(),
            watch: self.watch.clone(),
            log: self.dir.log(&self.task.id, self.number),
            tail: Vec::new(),
        }
    }

    /// What the agent is told this time.
    fn told(&self) -> &str {
        self.follow_up.as_deref().unwrap_or(&self.task.prompt)
    }

    fn agent(&self) -> Result<std::sync::Arc<dyn Agent>> {
        let name = &self.task.agent;
        if let Some(agent) = self.agents.get(name) {
            return Ok(std::sync::Arc::new(CommandAgent::clone(agent)));
        }
        self.services.agents.get(name).cloned().ok_or_else(|| Error::Preflight {
            problem: format!("agent {name:?} of task {:?} is not known to this fleet", self.task.id.as_str()),
        })
    }
}

/// A program that is not there is the agent's failure, not ours.
fn expected(report: Result<AgentReport>) -> Result<AgentReport> {
    match report {
        Err(Error::Sandbox(error @ hedgerow_sandbox::Error::Program { .. })) => {
            Ok(AgentReport::Failed { why: error.to_string() })
        }
        other => other,
    }
}
