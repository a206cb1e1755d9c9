//! A sandbox that runs each command in a process tree of its own.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::follow::follow;
use super::leash::Leash;
use super::survivors::named;
use super::tree::Sighting;
use super::{Lane, Survivors, warden};
use crate::intake::Intake;
use crate::redact::Redactor;
use crate::{Command, End, Error, Exit, Process, Result, Running, Stopped, Stopper, Usage, check};

/// How long what was killed may take to be gone. Only a process that the kernel holds takes long.
const DYING: Duration = Duration::from_secs(60);
/// How long it may take until a program runs, or its failure is known and cleared up.
const STARTING: Duration = Duration::from_secs(240);

/// A started sandbox of a lane whose commands share nothing but mounts and home.
#[derive(Debug)]
pub(crate) struct Session {
    lane: Arc<dyn Lane>,
    usage: Arc<Mutex<Usage>>,
    current: Option<Current>,
    dying: Duration,
}

#[derive(Debug)]
struct Current {
    leash: Arc<Leash>,
    stopper: Stopper,
    /// Its sender is dropped when all is gone of the command but what would not die, which it then holds.
    running: watch::Receiver<Survivors>,
}

impl Current {
    fn over(&self) -> bool {
        self.running.has_changed().is_err()
    }

    async fn ended(&mut self) {
        // An error is what this waits for: the sender is gone.
        while self.running.changed().await.is_ok() {}
    }

    /// That nothing of it is left, once it has ended.
    async fn gone(&self) -> Result<()> {
        let survivors = self.running.borrow().clone();
        survivors.now().await.map_or(Ok(()), |left| Err(undead(left)))
    }

    /// Waits for the end of what was killed, for this long.
    async fn dead(&mut self, within: Duration) -> Result<()> {
        let seen = self.leash.sightings();
        if timeout(within, self.ended()).await.is_ok() {
            return self.gone().await;
        }
        let left: Vec<_> = seen.iter().filter_map(Sighting::now).collect();
        let named = named(&left);
        Err(undead(match left.len() {
            0 => format!("{within:?} after SIGKILL it is still not over, though nothing of it is seen any more"),
            count => format!("{within:?} after SIGKILL the kernel still holds {count} of its processes: {named}"),
        }))
    }
}

fn undead(what: String) -> Error {
    Error::Lane { action: "end a command".into(), source: what.into() }
}

impl Session {
    pub(crate) fn new(lane: Arc<dyn Lane>) -> Self {
        Self { lane, usage: Arc::default(), current: None, dying: DYING }
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
            Some(last) if !last.over() && last.stopper.killed() => last.dead(self.dying).await?,
            Some(last) if !last.over() => {
                let what = format!("the program {:?}", command.program);
                let problem = "another command still runs in this sandbox; wait for its end or stop it".into();
                return Err(Error::InvalidSpec { what, problem });
            }
            Some(last) if last.over() => last.gone().await?,
            _ => {}
        }
        let (tell, started) = oneshot::channel();
        warden::spawn(Arc::clone(&self.lane), command.clone(), tell)?;
        let lost = |why: &str| Error::Lane { action: "start a command".into(), source: why.into() };
        // Given up, it is killed as soon as it has started.
        let started = timeout(STARTING, started).await.map_err(|_| lost("its thread is held by the kernel"))?;
        let started = started.map_err(|_| lost("its thread is gone"))??;

        let (alive, running) = watch::channel(Survivors::default());
        let (process, feed) = Process::channel();
        self.current = Some(Current { leash: Arc::clone(&started.leash), stopper: process.stopper(), running });
        let (intake, total) = (Intake::new(self.lane.limits(), Redactor::of(&command)), Arc::clone(&self.usage));
        tokio::spawn(async move {
            let dead = move |used: Option<Usage>, survivors| {
                let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
                *total = total.plus(used.unwrap_or_default());
                // Nobody may be waiting any more.
                let _gone = alive.send(survivors);
                drop(alive);
            };
            let to_the_end = async {
                let exit = follow(command, started, &intake, &feed, dead).await;
                intake.close();
                let (written, dropped) = intake.counts();
                exit.map(|exit| Exit { written, dropped, ..exit })
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
        let Some(mut current) = self.current.take() else { return Ok(Stopped::Idle) };
        if current.over() {
            return current.gone().await.map(|()| Stopped::Idle);
        }
        current.leash.because(End::Stopped);
        current.leash.terminate();
        // Whether it took the hint or ran out of grace: now nothing of it may be left.
        if timeout(grace, current.ended()).await.is_err() {
            current.leash.kill();
            current.dead(self.dying).await?;
        }
        current.gone().await?;
        Ok(Stopped::Killed)
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
