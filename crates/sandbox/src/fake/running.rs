//! A sandbox of the fake lane.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::play::play;
use super::script::{Ending, Script};
use super::{Call, FakeSandbox, LANE};
use crate::intake::Intake;
use crate::redact::Redactor;
use crate::{Command, Error, Exit, Process, Result, Running, Spec, Stopped, Stopper, Usage, check};

#[derive(Debug)]
pub(super) struct FakeRunning {
    lane: FakeSandbox,
    spec: Spec,
    underway: Option<(Command, Script)>,
    current: Option<Current>,
    used: Arc<Mutex<Usage>>,
}

#[derive(Debug)]
struct Current {
    stopper: Stopper,
    /// Its sender is dropped when the command is over.
    running: watch::Receiver<()>,
}

impl Current {
    fn over(&self) -> bool {
        self.running.has_changed().is_err()
    }

    async fn ended(&mut self) {
        // An error is what this waits for: the sender is gone.
        while self.running.changed().await.is_ok() {}
    }
}

impl FakeRunning {
    pub(super) fn new(lane: FakeSandbox, spec: Spec, underway: Option<(Command, Script)>) -> Self {
        Self { lane, spec, underway, current: None, used: Arc::default() }
    }

    fn run(&mut self, command: Command, script: Script) -> Process {
        let (process, feed) = Process::channel();
        let (alive, running) = watch::channel(());
        self.current = Some(Current { stopper: process.stopper(), running });
        let (intake, used) = (Intake::new(&self.spec.policy.limits, Redactor::of(&command)), Arc::clone(&self.used));
        tokio::spawn(async move {
            let to_the_end = async {
                let exit = play(&script, &command, &intake, &feed).await;
                intake.close();
                let mut used = used.lock().unwrap_or_else(PoisonError::into_inner);
                *used = used.plus(exit.usage);
                drop(alive);
                let (written, dropped) = intake.counts();
                Exit { written, dropped, ..exit }
            };
            let (exit, ()) = tokio::join!(to_the_end, intake.deliver(&feed));
            feed.finish(Ok(exit));
        });
        process
    }
}

#[async_trait]
impl Running for FakeRunning {
    async fn exec(&mut self, command: Command) -> Result<Process> {
        self.lane.failure(Call::Exec)?;
        check::command(&command)?;
        match &mut self.current {
            // One that nobody waits for any more is dying.
            Some(last) if !last.over() && last.stopper.killed() => last.ended().await,
            Some(last) if !last.over() => {
                let what = format!("the program {:?}", command.program);
                let problem = "another command still runs in this sandbox; wait for its end or stop it".into();
                return Err(Error::InvalidSpec { what, problem });
            }
            _ => {}
        }
        let script = (self.lane.inner.programs)(&self.spec, &command);
        if script.end == Ending::Missing {
            let problem = "it was not found".into();
            return Err(Error::Program { lane: LANE, program: command.program.into(), problem });
        }
        self.lane.lock().commands.push((self.spec.id.clone(), command.clone()));
        Ok(self.run(command, script))
    }

    async fn resume(&mut self) -> Result<Option<Process>> {
        self.lane.failure(Call::Resume)?;
        let underway = self.underway.take();
        Ok(underway.map(|(command, script)| self.run(command, script)))
    }

    async fn usage(&self) -> Result<Usage> {
        self.lane.failure(Call::Usage)?;
        Ok(*self.used.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn stop(mut self: Box<Self>, grace: Duration) -> Result<Stopped> {
        if let Err(error) = self.lane.failure(Call::Stop) {
            let left = (self.spec.clone(), self.underway.take());
            self.lane.lock().left.insert(self.spec.id.clone(), left);
            return Err(error);
        }
        let underway = self.underway.is_some();
        let Some(mut current) = self.current.take().filter(|current| !current.over()) else {
            return Ok(if underway { Stopped::Killed } else { Stopped::Idle });
        };
        current.stopper.stop();
        if tokio::time::timeout(grace, current.ended()).await.is_err() {
            current.stopper.kill();
            current.ended().await;
        }
        Ok(Stopped::Killed)
    }
}

impl Drop for FakeRunning {
    fn drop(&mut self) {
        if let Some(current) = &self.current {
            current.stopper.kill();
        }
        self.lane.lock().sandboxes.remove(&self.spec.id);
    }
}
