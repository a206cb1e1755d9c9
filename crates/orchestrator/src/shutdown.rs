//! Stopping a run, in two steps.

use tokio::sync::watch;

/// Stops the run of a fleet from elsewhere, for example from a signal handler. Clones stop the same run.
#[derive(Clone, Debug)]
pub struct Stopper(watch::Sender<Phase>);

/// How far the stopping is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Run,
    Stop,
    Abort,
}

#[derive(Clone, Debug)]
pub(crate) struct Watch(watch::Receiver<Phase>);

impl Stopper {
    pub(crate) fn new() -> Self {
        Self(watch::channel(Phase::Run).0)
    }

    /// Starts nothing any more, stops the agents and gates with their grace, captures and puts away what they did.
    pub fn stop(&self) {
        self.raise(Phase::Stop);
    }

    /// The same without any grace: what runs is killed at once.
    pub fn abort(&self) {
        self.raise(Phase::Abort);
    }

    pub(crate) fn watch(&self) -> Watch {
        Watch(self.0.subscribe())
    }

    fn raise(&self, phase: Phase) {
        self.0.send_if_modified(|now| {
            let higher = phase > *now;
            if higher {
                *now = phase;
            }
            higher
        });
    }
}

impl Watch {
    pub(crate) fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    /// Resolves with the next phase after `now`; never when there will be none. Cancel safe.
    pub(crate) async fn beyond(&mut self, now: Phase) -> Phase {
        let next = self.0.wait_for(|phase| *phase > now).await.map(|phase| *phase);
        match next {
            Ok(phase) => phase,
            Err(_) => std::future::pending().await,
        }
    }
}
