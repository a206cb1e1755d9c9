//! A sandbox on an engine: one container per command.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::{Command, Error, Process, Result, Running, Spec, Stopped, Stopper, Usage, check};

use super::Lane;
use super::adopt::Underway;
use super::entry;
use super::launch::{Launch, launch};
use super::lease::Lease;
use super::outlet::{Outlets, Setting};
use super::owner::Fate;
use super::pool::Pool;
use super::run::follow;
use super::tally::Tally;

/// How long the container of a command that has been killed may take to disappear.
const CLEANUP: Duration = Duration::from_secs(60);
/// How long a command waits for the one before it, which may just be ending.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct DockerRunning {
    lane: Arc<Lane>,
    pool: Option<Arc<Pool>>,
    spec: Arc<Spec>,
    next: u64,
    current: Option<Current>,
    underway: Option<Underway>,
    tally: Tally,
    outlets: Option<Outlets>,
}

/// The command that was started last.
#[derive(Debug)]
struct Current {
    stopper: Stopper,
    gone: oneshot::Receiver<()>,
}

impl DockerRunning {
    pub(super) fn new(lane: Arc<Lane>, spec: Spec, next: u64, underway: Option<Underway>) -> Self {
        Self {
            lane,
            pool: None,
            spec: Arc::new(spec),
            next,
            current: None,
            underway,
            tally: Tally::default(),
            outlets: None,
        }
    }

    /// The same with a way out, if its policy has a list.
    pub(super) fn let_out(mut self, setting: &Setting) -> Self {
        self.outlets = Outlets::new(setting, &self.spec);
        self
    }

    /// The same with containers that are kept ready.
    pub(super) fn warmed(mut self, pool: Option<Arc<Pool>>) -> Self {
        self.pool = pool;
        self
    }

    /// Waits until the container of the command before is gone, which its end or its dropped process has brought about.
    async fn settle(&mut self) -> Result<()> {
        if let Some(current) = &mut self.current {
            let free = timeout(PATIENCE, &mut current.gone).await.is_ok();
            if !free {
                return Err(self.busy());
            }
            self.current = None;
        }
        if self.underway.is_some() {
            return Err(self.busy());
        }
        Ok(())
    }

    fn busy(&self) -> Error {
        let problem = "it runs one command at a time, and one is underway; wait for its end or drop it".into();
        Error::InvalidSpec { what: format!("a second command in sandbox {}", self.spec.id), problem }
    }
}

#[async_trait]
impl Running for DockerRunning {
    async fn exec(&mut self, command: Command) -> Result<Process> {
        check::command(&command)?;
        entry::check(&self.spec, &command)?;
        self.settle().await?;
        let (process, feed) = Process::channel();
        let (started, begun) = oneshot::channel();
        let (leave, gone) = oneshot::channel();
        let job = Launch {
            lane: Arc::clone(&self.lane),
            pool: self.pool.clone(),
            spec: Arc::clone(&self.spec),
            command,
            number: self.next,
            tally: self.tally.clone(),
            outlets: self.outlets.clone(),
        };
        self.next += 1;
        self.current = Some(Current { stopper: process.stopper(), gone });
        tokio::spawn(launch(job, feed, started, leave));
        match begun.await {
            Ok(outcome) => outcome.map(|start| process.started(start)),
            Err(lost) => Err(Error::Lane { action: "start a command".into(), source: lost.into() }),
        }
    }

    async fn resume(&mut self) -> Result<Option<Process>> {
        let Some(underway) = self.underway.take() else { return Ok(None) };
        let mut job = underway.job(&self.lane, &self.spec, self.tally.clone()).await?;
        if let Some(outlets) = &self.outlets {
            // Its owner's death closed the one that it had.
            job.outlet = outlets.open(&self.lane.engine, &job.watched.container).await?;
        }
        let (process, feed) = Process::channel();
        let (started, _) = oneshot::channel();
        let (leave, gone) = oneshot::channel();
        self.current = Some(Current { stopper: process.stopper(), gone });
        tokio::spawn(follow(job, feed, started, leave));
        Ok(Some(process))
    }

    async fn usage(&self) -> Result<Usage> {
        Ok(self.tally.total())
    }

    async fn stop(mut self: Box<Self>, grace: Duration) -> Result<Stopped> {
        let mut found = Stopped::Idle;
        if let Some(mut current) = self.current.take()
            && matches!(current.gone.try_recv(), Err(oneshot::error::TryRecvError::Empty))
        {
            found = Stopped::Killed;
            current.stopper.stop();
            if timeout(grace, &mut current.gone).await.is_err() {
                current.stopper.kill();
                // What is still there after that is removed below, or the error comes from there.
                let _late = timeout(CLEANUP, &mut current.gone).await;
            }
        }
        for container in self.lane.containers(&self.spec.id).await? {
            let owner = Lease::of(&container).map(|lease| lease.owner.fate(self.lane.me.as_ref()));
            if owner == Some(Fate::Alive) {
                // Another process took it over while this one could not reach it.
                continue;
            }
            if runs(&container) {
                found = Stopped::Killed;
            }
            if let Some(id) = &container.id {
                self.lane.engine.remove(id).await?;
            }
        }
        Ok(found)
    }
}

impl Drop for DockerRunning {
    fn drop(&mut self) {
        self.lane.leave(&self.spec.id);
    }
}

/// Whether something runs in it, or could run on.
fn runs(container: &ContainerSummary) -> bool {
    use ContainerSummaryStateEnum::{PAUSED, RESTARTING, RUNNING};
    matches!(container.state, Some(RUNNING | PAUSED | RESTARTING))
}
