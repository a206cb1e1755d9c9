//! A sandbox that runs each command in a process tree of its own.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{oneshot, watch};

use super::follow::follow;
use super::intake::Intake;
use super::leash::Leash;
use super::{Lane, warden};
use crate::{Command, End, Error, Process, Result, Running, Stopped, Stopper, Usage, check};

/// A started sandbox of a lane whose commands share nothing but mounts and home.
#[derive(Debug)]
pub(crate) struct Session {
    lane: Arc<dyn Lane>,
    usage: Arc<Mutex<Usage>>,
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    leash: Arc<Leash>,
    stopper: Stopper,
    /// Its sender is dropped when nothing is left of the command.
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

impl Session {
    pub(crate) fn new(lane: Arc<dyn Lane>) -> Self {
        Self { lane, usage: Arc::default(), current: None }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(current) = &self.current {
            current.leash.because(End::Stopped);
            current.leash.kill();
        }
    }
}

#[async_trait]
impl Running for Session {
    async fn exec(&mut self, command: Command) -> Result<Process> {
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
        let (tell, started) = oneshot::channel();
        warden::spawn(Arc::clone(&self.lane), command.clone(), tell)?;
        let lost = |_| Error::Lane { action: "start a command".into(), source: "its thread is gone".into() };
        let started = started.await.map_err(lost)??;

        let (alive, running) = watch::channel(());
        let (process, feed) = Process::channel();
        self.current = Some(Current { leash: Arc::clone(&started.leash), stopper: process.stopper(), running });
        let (intake, total) = (Intake::new(self.lane.limits().output), Arc::clone(&self.usage));
        tokio::spawn(async move {
            let dead = move |used: Option<Usage>| {
                let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
                *total = sum(*total, used.unwrap_or_default());
                drop(alive);
            };
            let to_the_end = async {
                let exit = follow(command, started, &intake, &feed, dead).await;
                intake.close();
                exit
            };
            // The reader may take its time: nobody but itself waits for it.
            let (exit, ()) = tokio::join!(to_the_end, intake.deliver(&feed));
            feed.finish(exit);
        });
        Ok(process)
    }

    async fn resume(&mut self) -> Result<Option<Process>> {
        Ok(None)
    }

    async fn usage(&self) -> Result<Usage> {
        Ok(*self.usage.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn stop(mut self: Box<Self>, grace: Duration) -> Result<Stopped> {
        let Some(mut current) = self.current.take().filter(|current| !current.over()) else {
            return Ok(Stopped::Idle);
        };
        current.leash.because(End::Stopped);
        current.leash.terminate();
        // Whether it took the hint or ran out of grace: now nothing of it may be left.
        let _in_time = tokio::time::timeout(grace, current.ended()).await;
        current.leash.kill();
        current.ended().await;
        Ok(Stopped::Killed)
    }
}

/// What two commands that ran one after the other used.
fn sum(a: Usage, b: Usage) -> Usage {
    let cpu = a.cpu.into_iter().chain(b.cpu).reduce(|x, y| x + y);
    Usage { cpu, peak_memory: a.peak_memory.max(b.peak_memory) }
}
