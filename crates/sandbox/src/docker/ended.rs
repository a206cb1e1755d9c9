//! Waiting for the end of a container, also across a restart of the engine.

use std::time::Duration;

use bollard::errors::Error as Client;
use bollard::models::{ContainerState, ContainerStateStatusEnum};
use futures_util::StreamExt;
use tokio::time::{Instant, sleep, timeout};

use super::engine::{Engine, PAUSE, within};
use super::probe::reason;

/// How often a container is looked at while nothing is heard of it. An engine may be frozen without closing a connection, and may
/// forget to tell of an end that it did not see happen.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How long an engine has to notice that a container is empty.
const NOTICE: Duration = Duration::from_secs(3);
/// How long an engine takes at most from killing its containers in order until it is out of reach.
const GOING: Duration = Duration::from_secs(1);
/// Statuses of what was ended by SIGKILL or SIGTERM, and of what ended without the engine knowing how.
pub(super) const ENGINES: [i64; 3] = [137, 143, 255];

/// What became of a container.
#[derive(Debug)]
pub(super) enum Ended {
    /// It ended, and the engine says how.
    Reported { state: Box<ContainerState>, contact: Contact, sight: Sight },
    /// Nothing is in it any more, and the engine believes that it runs on.
    Unnoticed,
    /// It is there and was never started.
    NeverStarted,
    /// Somebody else removed it.
    Gone,
    /// It was killed and is still there.
    Undead,
    /// The engine does not answer; the container may run on.
    Unreachable(String),
}

/// Whether a container ended before our eyes. What it says to an engine that is dead is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    Seen,
    /// It had ended when the engine was within reach again, or when this process took it over.
    Unseen,
}

/// Whether the engine was within reach all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contact {
    Kept,
    /// It went out of reach at this time.
    Lost(Instant),
}

impl Contact {
    pub(super) fn lost(&mut self) {
        if *self == Self::Kept {
            *self = Self::Lost(Instant::now());
        }
    }
}

impl Engine {
    /// Waits for the end. `contact` says whether the engine was out of reach already.
    pub(super) async fn ended(&self, container: &str, mut contact: Contact, mut sight: Sight) -> Ended {
        loop {
            let mut again = Contact::Kept;
            let mut silent = false;
            // Only asked now, after the start, and so with the condition that is also true for what has ended already.
            match timeout(HEARTBEAT, self.wait(container).next()).await {
                Ok(Some(Ok(_) | Err(Client::DockerContainerWaitError { .. }))) => {}
                Err(_) => silent = true,
                // Which it also says of what is gone; then it is not found below.
                Ok(Some(Err(Client::DockerResponseServerError { .. }))) => {}
                Ok(Some(Err(_)) | None) => again.lost(),
            }
            let state = self.state(container, &mut again).await;
            if again != Contact::Kept {
                contact.lost();
                if matches!(&state, Ok(Some(state)) if state.running != Some(true)) {
                    sight = Sight::Unseen;
                }
            }
            match state {
                // Somebody else is removing it, so what is still to be had of it may not be whole.
                Ok(Some(state)) if state.dead == Some(true) => return Ended::Gone,
                Ok(Some(state)) if is_unstarted(&state) => return Ended::NeverStarted,
                Ok(Some(state)) if state.running != Some(true) => {
                    let mut state = state;
                    if contact == Contact::Kept && state.exit_code.is_some_and(|code| ENGINES.contains(&code)) {
                        // An engine that is shut down kills its containers first, and goes away then.
                        sleep(GOING).await;
                        match self.state(container, &mut contact).await {
                            Ok(Some(again)) => state = again,
                            Ok(None) => return Ended::Gone,
                            Err(why) => return Ended::Unreachable(why),
                        }
                    }
                    return Ended::Reported { state: Box::new(state), contact, sight };
                }
                Ok(Some(_)) if silent => {
                    if self.is_empty(container).await {
                        return Ended::Unnoticed;
                    }
                }
                // The engine is back and kept the container alive.
                Ok(Some(_)) => sleep(PAUSE).await,
                Ok(None) => return Ended::Gone,
                Err(why) => return Ended::Unreachable(why),
            }
        }
    }

    /// Whether the engine finds no process in a container that it believes to run, and goes on to believe so.
    async fn is_empty(&self, container: &str) -> bool {
        for _ in 0..2 {
            let runs = within(self.inspect(container)).await.is_ok_and(|found| {
                found.state.is_some_and(|state| state.running == Some(true) && state.paused != Some(true))
            });
            if !runs || self.processes(container).await != Ok(0) {
                return false;
            }
            sleep(NOTICE).await;
        }
        true
    }

    /// The state of a container, or none if there is no such container. Asks again for a while when the engine does not answer.
    pub(super) async fn state(&self, container: &str, contact: &mut Contact) -> Result<Option<ContainerState>, String> {
        let begun = Instant::now();
        loop {
            let why = match within(self.inspect(container)).await {
                Ok(found) => return Ok(Some(found.state.unwrap_or_default())),
                Err(Client::DockerResponseServerError { status_code: 404, .. }) => return Ok(None),
                Err(error) => reason(&error),
            };
            contact.lost();
            if begun.elapsed() >= self.patience() {
                return Err(why);
            }
            sleep(PAUSE).await;
        }
    }
}

/// Whether a container is as it was made.
pub(super) fn is_unstarted(state: &ContainerState) -> bool {
    state.status == Some(ContainerStateStatusEnum::CREATED)
}
