//! The few requests that this lane makes of an engine.

use std::collections::HashMap;
use std::pin::Pin;
use std::time::Duration;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error as Client;
use bollard::models::{ContainerCreateBody, ContainerState, ContainerStatsResponse, ContainerSummary};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, KillContainerOptionsBuilder,
    ListContainersOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder, RenameContainerOptionsBuilder,
    StatsOptionsBuilder, WaitContainerOptionsBuilder,
};
use futures_util::{Stream, StreamExt};
use tokio::io::AsyncWrite;
use tokio::time::{sleep, timeout};

use crate::{Error, Result};

use super::probe::reason;
use super::record::SANDBOX;

/// How often, and how long apart, an engine is asked again that does not answer: it may be restarting.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_secs(1);
/// Until a single request that is not a stream is given up.
const REQUEST: Duration = Duration::from_secs(30);

/// A stream of the client's.
pub(super) type Items<T> = Pin<Box<dyn Stream<Item = std::result::Result<T, Client>> + Send>>;

/// The engine, as far as this lane needs it.
#[derive(Clone, Debug)]
pub(super) struct Engine(Docker);

/// What became of a container.
#[derive(Debug)]
pub(super) enum Ended {
    /// It ended, and the engine says how.
    Reported {
        state: Box<ContainerState>,
        /// Whether the engine was out of reach in between.
        lost_contact: bool,
    },
    /// Somebody else removed it.
    Gone,
    /// It was killed and is still there.
    Undead,
    /// The engine does not answer; the container may run on.
    Unreachable(String),
}

impl Engine {
    pub(super) fn new(docker: Docker) -> Self {
        Self(docker)
    }

    /// Makes a container; the client's error is left to the caller, who knows what the parts of it mean.
    pub(super) async fn create(
        &self,
        name: &str,
        body: ContainerCreateBody,
    ) -> std::result::Result<(String, Vec<String>), Client> {
        let options = CreateContainerOptionsBuilder::default().name(name).build();
        let made = self.0.create_container(Some(options), body).await?;
        Ok((made.id, made.warnings))
    }

    /// The paths that differ from the image.
    pub(super) async fn changed_paths(&self, container: &str) -> Result<Vec<String>> {
        let changes =
            self.0.container_changes(container).await.map_err(|e| lane("compare a container with its image", e))?;
        Ok(changes.unwrap_or_default().into_iter().map(|change| change.path).collect())
    }

    /// Has to come before the start: what a container says before anyone is attached goes to its log alone.
    pub(super) async fn attach(&self, container: &str) -> Result<Items<LogOutput>> {
        let options = AttachContainerOptionsBuilder::default().stream(true).stdout(true).stderr(true).build();
        let attached = self.0.attach_container(container, Some(options)).await;
        Ok(attached.map_err(|e| lane("attach to a container", e))?.output)
    }

    /// A connection for input and nothing else. On one that takes output too, an engine that cannot write the output to a dead
    /// client drops the input that it has not read yet; here, what was written is read to the end whatever becomes of us.
    pub(super) async fn attach_input(&self, container: &str) -> Result<Pin<Box<dyn AsyncWrite + Send>>> {
        let options = AttachContainerOptionsBuilder::default().stream(true).stdin(true).build();
        let attached = self.0.attach_container(container, Some(options)).await;
        Ok(attached.map_err(|e| lane("attach to a container's input", e))?.input)
    }

    /// Whether there is a container of this name.
    pub(super) async fn exists(&self, name: &str) -> Result<bool> {
        match self.0.inspect_container(name, None).await {
            Ok(_) => Ok(true),
            Err(Client::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
            Err(error) => Err(lane("look for a container", error)),
        }
    }

    /// Gives a container another name. One that is gone already needs none.
    pub(super) async fn rename(&self, container: &str, name: &str) -> Result<()> {
        let mut last = String::new();
        for _ in 0..TRIES {
            let options = RenameContainerOptionsBuilder::default().name(name).build();
            match timeout(REQUEST, self.0.rename_container(container, options)).await {
                Ok(Ok(()) | Err(Client::DockerResponseServerError { status_code: 404, .. })) => return Ok(()),
                Ok(Err(error)) => last = reason(&error),
                Err(_) => last = format!("no answer within {} s", REQUEST.as_secs()),
            }
            // An earlier try may have done it although its answer was lost.
            if let Ok(Ok(found)) = timeout(REQUEST, self.0.inspect_container(container, None)).await
                && found.name.is_some_and(|now| now.trim_start_matches('/') == name)
            {
                return Ok(());
            }
            sleep(PAUSE).await;
        }
        Err(Error::Lane { action: format!("give a container the name {name}"), source: last.into() })
    }

    pub(super) async fn start(&self, container: &str) -> std::result::Result<(), Client> {
        self.0.start_container(container, None).await
    }

    /// Everything that a container has said and will say. When the container ends, engines may forget the last words.
    pub(super) fn followed_log(&self, container: &str) -> Items<LogOutput> {
        let options = LogsOptionsBuilder::default().follow(true).stdout(true).stderr(true).tail("all").build();
        Box::pin(self.0.logs(container, Some(options)))
    }

    /// Everything that a container has said; complete once it has ended.
    pub(super) fn log(&self, container: &str) -> Items<LogOutput> {
        let options = LogsOptionsBuilder::default().follow(false).stdout(true).stderr(true).tail("all").build();
        Box::pin(self.0.logs(container, Some(options)))
    }

    pub(super) fn stats(&self, container: &str) -> Items<ContainerStatsResponse> {
        let options = StatsOptionsBuilder::default().stream(true).build();
        Box::pin(self.0.stats(container, Some(options)))
    }

    /// Waits for the end, also across a restart of the engine.
    pub(super) async fn ended(&self, container: &str) -> Ended {
        let mut lost_contact = false;
        loop {
            // Only polled now, after the start, and so with the condition that is also true for what has ended already.
            let options = WaitContainerOptionsBuilder::default().condition("not-running").build();
            let waited = Box::pin(self.0.wait_container(container, Some(options))).next().await;
            let contact = matches!(waited, Some(Ok(_) | Err(Client::DockerContainerWaitError { .. })));
            lost_contact |= !contact;
            match self.state(container).await {
                // Somebody else is removing it, so what is still to be had of it may not be whole.
                Ok(Some(state)) if state.dead == Some(true) => return Ended::Gone,
                Ok(Some(state)) if state.running != Some(true) => {
                    return Ended::Reported { state: Box::new(state), lost_contact };
                }
                // The engine is back and kept the container alive.
                Ok(Some(_)) => sleep(PAUSE).await,
                Ok(None) => return Ended::Gone,
                Err(why) => return Ended::Unreachable(why),
            }
        }
    }

    /// The state of a container, or none if there is no such container.
    async fn state(&self, container: &str) -> std::result::Result<Option<ContainerState>, String> {
        let mut last = String::new();
        for _ in 0..TRIES {
            match timeout(REQUEST, self.0.inspect_container(container, None)).await {
                Ok(Ok(found)) => return Ok(Some(found.state.unwrap_or_default())),
                Ok(Err(Client::DockerResponseServerError { status_code: 404, .. })) => return Ok(None),
                Ok(Err(error)) => last = reason(&error),
                Err(_) => last = format!("no answer within {} s", REQUEST.as_secs()),
            }
            sleep(PAUSE).await;
        }
        Err(last)
    }

    /// Sends a signal; whether there was anything to receive it.
    pub(super) async fn signal(&self, container: &str, signal: &str) -> bool {
        let options = KillContainerOptionsBuilder::default().signal(signal).build();
        matches!(timeout(REQUEST, self.0.kill_container(container, Some(options))).await, Ok(Ok(())))
    }

    /// Kills a container and removes it with its volumes. One that is gone already is fine.
    pub(super) async fn remove(&self, container: &str) -> Result<()> {
        let mut last = None;
        for _ in 0..TRIES {
            let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
            match self.0.remove_container(container, Some(options)).await {
                Ok(()) | Err(Client::DockerResponseServerError { status_code: 404, .. }) => return Ok(()),
                // Somebody else removes it, or the kernel has not let go of a mount yet.
                Err(error) => last = Some(error),
            }
            sleep(PAUSE / 4).await;
        }
        match last {
            Some(error) => Err(lane("remove a container", error)),
            None => Ok(()),
        }
    }

    /// Every container of this lane in any state, or of one sandbox only.
    pub(super) async fn containers(&self, sandbox: Option<&str>) -> Result<Vec<ContainerSummary>> {
        let label = sandbox.map_or_else(|| SANDBOX.to_owned(), |id| format!("{SANDBOX}={id}"));
        let filters = HashMap::from([("label".to_owned(), vec![label])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let asked = timeout(REQUEST, self.0.list_containers(Some(options))).await;
        match asked {
            Ok(answer) => answer.map_err(|e| lane("list the engine's containers", e)),
            Err(late) => Err(Error::Lane { action: "list the engine's containers".into(), source: late.into() }),
        }
    }
}

pub(super) fn lane(action: &str, source: Client) -> Error {
    Error::Lane { action: action.into(), source: source.into() }
}
