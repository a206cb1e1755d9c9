//! A sandbox whose command was underway in a container that was kept ready, and of which nothing can be believed any more.

use std::time::Duration;

use async_trait::async_trait;

use crate::{Command, End, Error, Exit, Process, Result, Running, SandboxId, Start, Stopped, Usage, Witness};

/// Its command was killed and removed when it was taken over.
#[derive(Debug)]
pub(super) struct LostRunning {
    id: SandboxId,
    told: bool,
}

impl LostRunning {
    pub(super) fn new(id: SandboxId) -> Self {
        Self { id, told: false }
    }
}

#[async_trait]
impl Running for LostRunning {
    async fn exec(&mut self, _: Command) -> Result<Process> {
        let problem =
            "what it was to keep was lost with the log of its command; stop it and start one of the same name";
        Err(Error::InvalidSpec { what: format!("sandbox {}", self.id), problem: problem.into() })
    }

    async fn resume(&mut self) -> Result<Option<Process>> {
        if std::mem::replace(&mut self.told, true) {
            return Ok(None);
        }
        let (process, feed) = Process::channel();
        let why = "its owner died, and the log in which the command was told of has lost its beginning; it was killed";
        feed.finish(Ok(Exit::new(End::Lost { why: why.into() }, Witness::Nobody)));
        Ok(Some(process.started(Start::Warm)))
    }

    async fn usage(&self) -> Result<Usage> {
        Ok(Usage::default())
    }

    async fn stop(self: Box<Self>, _: Duration) -> Result<Stopped> {
        Ok(Stopped::Idle)
    }
}
