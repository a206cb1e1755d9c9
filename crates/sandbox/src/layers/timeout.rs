//! A lane in which nothing takes longer than a given time.

use std::time::Duration;

use async_trait::async_trait;

use crate::{Command, Coverage, Guarantee, Labels, Process, Result, Running, Sandbox, SandboxId, Spec, Stopped, Usage};

/// A lane in which every command has at most this deadline, whatever it asks for, and if wanted a limit of silence.
///
/// It holds for what is run through it: a command that an earlier process left underway keeps its own.
#[derive(Debug)]
pub struct Timeout<S> {
    inner: S,
    caps: Caps,
}

#[derive(Clone, Copy, Debug)]
struct Caps {
    deadline: Duration,
    idle: Option<Duration>,
}

impl<S: Sandbox> Timeout<S> {
    /// The lane `inner`, in which no command has a later deadline than this.
    pub fn new(inner: S, deadline: Duration) -> Self {
        Self { inner, caps: Caps { deadline, idle: None } }
    }

    /// The same, in which no command may be silent for longer than this.
    #[must_use]
    pub fn idle(mut self, idle: Duration) -> Self {
        self.caps.idle = Some(idle);
        self
    }
}

#[async_trait]
impl<S: Sandbox> Sandbox for Timeout<S> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn coverage(&self, guarantee: Guarantee) -> Coverage {
        self.inner.coverage(guarantee)
    }

    async fn start(&self, spec: Spec) -> Result<Box<dyn Running>> {
        let running = self.inner.start(spec).await?;
        Ok(Box::new(TimedRunning { running, caps: self.caps }))
    }

    async fn adopt(&self, id: &SandboxId) -> Result<Option<Box<dyn Running>>> {
        let found = self.inner.adopt(id).await?;
        Ok(found.map(|running| -> Box<dyn Running> { Box::new(TimedRunning { running, caps: self.caps }) }))
    }

    async fn list(&self, labels: &Labels) -> Result<Vec<SandboxId>> {
        self.inner.list(labels).await
    }
}

#[derive(Debug)]
struct TimedRunning {
    running: Box<dyn Running>,
    caps: Caps,
}

#[async_trait]
impl Running for TimedRunning {
    async fn exec(&mut self, mut command: Command) -> Result<Process> {
        command.deadline = command.deadline.min(self.caps.deadline);
        command.idle = command.idle.into_iter().chain(self.caps.idle).min();
        self.running.exec(command).await
    }

    async fn resume(&mut self) -> Result<Option<Process>> {
        self.running.resume().await
    }

    async fn usage(&self) -> Result<Usage> {
        self.running.usage().await
    }

    async fn stop(self: Box<Self>, grace: Duration) -> Result<Stopped> {
        self.running.stop(grace).await
    }
}
