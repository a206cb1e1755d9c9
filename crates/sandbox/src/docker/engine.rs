//! The few requests that this lane makes of an engine, each with its deadline.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error as Client;
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerStatsResponse, ContainerSummary, ContainerWaitResponse,
};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, KillContainerOptionsBuilder,
    ListContainersOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder, RenameContainerOptionsBuilder,
    StatsOptionsBuilder, WaitContainerOptionsBuilder,
};
use futures_util::Stream;
use tokio::io::AsyncWrite;
use tokio::time::{Instant, sleep, timeout};

use crate::{Error, Result};

use super::record::SANDBOX;

/// How long to wait until an engine that did not answer is asked again.
pub(super) const PAUSE: Duration = Duration::from_secs(1);
/// Until a request that only looks is given up; and one for which the engine has to work.
pub(super) const LOOK: Duration = Duration::from_secs(30);
const WORK: Duration = Duration::from_secs(120);
/// Until a signal counts as not delivered for certain.
const SIGNAL: Duration = Duration::from_secs(10);
/// How long a removal is tried again that the engine refuses: the kernel may not have let go of a mount yet.
const STUBBORN: Duration = Duration::from_secs(10);

/// A stream of the client's.
pub(super) type Items<T> = Pin<Box<dyn Stream<Item = Answer<T>> + Send>>;
/// What the client says; its errors are left to callers who know what they mean.
pub(super) type Answer<T> = std::result::Result<T, Client>;

/// The engine, as far as this lane needs it.
#[derive(Clone, Debug)]
pub(super) struct Engine {
    docker: Docker,
    patience: Duration,
}

/// What became of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Yes,
    /// There was nothing to receive it.
    No,
    /// The engine did not say.
    Unknown,
}

/// Bounds a request that only looks.
pub(super) async fn within<T>(request: impl Future<Output = Answer<T>>) -> Answer<T> {
    bounded(LOOK, request).await
}

async fn bounded<T>(limit: Duration, request: impl Future<Output = Answer<T>>) -> Answer<T> {
    timeout(limit, request).await.unwrap_or(Err(Client::RequestTimeoutError))
}

/// Whether the engine answered, if only with a refusal.
pub(super) fn answered(error: &Client) -> bool {
    matches!(error, Client::DockerResponseServerError { .. })
}

impl Engine {
    /// `patience` is how long the engine may be out of reach before what it was asked counts as lost.
    pub(super) fn new(docker: Docker, patience: Duration) -> Self {
        Self { docker, patience }
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// Makes a container; its id, and what the engine says that it will not do.
    pub(super) async fn create(&self, name: &str, body: ContainerCreateBody) -> Answer<(String, Vec<String>)> {
        let options = CreateContainerOptionsBuilder::default().name(name).build();
        let made = bounded(WORK, self.docker.create_container(Some(options), body)).await?;
        Ok((made.id, made.warnings))
    }

    pub(super) async fn inspect(&self, container: &str) -> Answer<ContainerInspectResponse> {
        self.docker.inspect_container(container, None).await
    }

    /// The number of a container's first process, while it runs.
    #[cfg(target_os = "linux")]
    pub(super) async fn process(&self, container: &str) -> Result<Option<i64>> {
        let found = within(self.inspect(container)).await.map_err(|e| lane("look at a container", e))?;
        let state = found.state.unwrap_or_default();
        Ok(state.pid.filter(|pid| *pid > 0 && state.running == Some(true)))
    }

    /// The paths that differ from the image.
    pub(super) async fn changed_paths(&self, container: &str) -> Result<Vec<String>> {
        let changes = within(self.docker.container_changes(container)).await;
        let changes = changes.map_err(|e| lane("compare a container with its image", e))?;
        Ok(changes.unwrap_or_default().into_iter().map(|change| change.path).collect())
    }

    /// Has to come before the start: what a container says before anyone is attached goes to its log alone.
    pub(super) async fn attach(&self, container: &str) -> Result<Items<LogOutput>> {
        let options = AttachContainerOptionsBuilder::default().stream(true).stdout(true).stderr(true).build();
        let attached = within(self.docker.attach_container(container, Some(options))).await;
        Ok(attached.map_err(|e| lane("attach to a container", e))?.output)
    }

    /// A connection for input and nothing else. On one that takes output too, an engine that cannot write the output to a dead
    /// client drops the input that it has not read yet; here, what was written is read to the end whatever becomes of us.
    pub(super) async fn attach_input(&self, container: &str) -> Result<Pin<Box<dyn AsyncWrite + Send>>> {
        let options = AttachContainerOptionsBuilder::default().stream(true).stdin(true).build();
        let attached = within(self.docker.attach_container(container, Some(options))).await;
        Ok(attached.map_err(|e| lane("attach to a container's input", e))?.input)
    }

    /// Whether there is a container of this name.
    pub(super) async fn exists(&self, name: &str) -> Result<bool> {
        match within(self.inspect(name)).await {
            Ok(_) => Ok(true),
            Err(Client::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
            Err(error) => Err(lane("look for a container", error)),
        }
    }

    /// Gives a container another name. One that is gone already needs none.
    pub(super) async fn rename(&self, container: &str, name: &str) -> Result<()> {
        let begun = Instant::now();
        loop {
            let error = match self.rename_once(container, name).await {
                Ok(()) | Err(Client::DockerResponseServerError { status_code: 404, .. }) => return Ok(()),
                Err(error) => error,
            };
            // An earlier try may have done it although its answer was lost.
            if self.is_named(container, name).await {
                return Ok(());
            }
            if begun.elapsed() >= self.patience {
                return Err(lane(&format!("give a container the name {name}"), error));
            }
            sleep(PAUSE).await;
        }
    }

    /// Changes the name of the container that has the name `now`; false when it has another one by now.
    pub(super) async fn claim(&self, container: &str, now: &str, name: &str) -> Result<bool> {
        match self.rename_once(now, name).await {
            Ok(()) => {}
            // It is gone, or has another name, or is being removed.
            Err(error) if answered(&error) => return Ok(false),
            // It may have been done although the answer was lost.
            Err(_) => sleep(PAUSE).await,
        }
        // Two that ask at the same moment may both be told that they got it; the later one did.
        match within(self.inspect(container)).await {
            Ok(found) => Ok(has_name(&found, name)),
            Err(error) if answered(&error) => Ok(false),
            Err(error) => Err(lane("claim a container", error)),
        }
    }

    pub(super) async fn rename_once(&self, container: &str, name: &str) -> Answer<()> {
        let options = RenameContainerOptionsBuilder::default().name(name).build();
        within(self.docker.rename_container(container, options)).await
    }

    async fn is_named(&self, container: &str, name: &str) -> bool {
        within(self.inspect(container)).await.is_ok_and(|found| has_name(&found, name))
    }

    pub(super) async fn start(&self, container: &str) -> Answer<()> {
        bounded(WORK, self.docker.start_container(container, None)).await
    }

    pub(super) fn wait(&self, container: &str) -> Items<ContainerWaitResponse> {
        let options = WaitContainerOptionsBuilder::default().condition("not-running").build();
        Box::pin(self.docker.wait_container(container, Some(options)))
    }

    /// Everything that a container has said and will say. When the container ends, engines may forget the last words.
    pub(super) fn followed_log(&self, container: &str) -> Items<LogOutput> {
        let options = LogsOptionsBuilder::default().follow(true).stdout(true).stderr(true).tail("all").build();
        Box::pin(self.docker.logs(container, Some(options)))
    }

    /// Everything that a container has said; complete once it has ended.
    pub(super) fn log(&self, container: &str) -> Items<LogOutput> {
        let options = LogsOptionsBuilder::default().follow(false).stdout(true).stderr(true).tail("all").build();
        Box::pin(self.docker.logs(container, Some(options)))
    }

    pub(super) fn stats(&self, container: &str) -> Items<ContainerStatsResponse> {
        let options = StatsOptionsBuilder::default().stream(true).build();
        Box::pin(self.docker.stats(container, Some(options)))
    }

    /// Sends a signal.
    pub(super) async fn signal(&self, container: &str, signal: &str) -> Sent {
        let options = KillContainerOptionsBuilder::default().signal(signal).build();
        match bounded(SIGNAL, self.docker.kill_container(container, Some(options))).await {
            Ok(()) => Sent::Yes,
            Err(Client::DockerResponseServerError { status_code: 404 | 409, .. }) => Sent::No,
            Err(_) => Sent::Unknown,
        }
    }

    /// How many processes the engine finds in a container; nothing when it does not say.
    pub(super) async fn processes(&self, container: &str) -> std::result::Result<usize, ()> {
        let found = within(self.docker.top_processes(container, None)).await.map_err(drop)?;
        Ok(found.processes.map_or(0, |processes| processes.len()))
    }

    /// Whether the engine answers at all.
    pub(super) async fn answers(&self) -> bool {
        bounded(SIGNAL, self.docker.ping()).await.is_ok()
    }

    /// Kills a container and removes it with its volumes. One that is gone already is fine.
    pub(super) async fn remove(&self, container: &str) -> Result<()> {
        let begun = Instant::now();
        loop {
            let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
            let error = match bounded(WORK, self.docker.remove_container(container, Some(options))).await {
                Ok(()) | Err(Client::DockerResponseServerError { status_code: 404, .. }) => return Ok(()),
                // Somebody else removes it, or the kernel has not let go of a mount yet, or the engine is out of reach.
                Err(error) => error,
            };
            let limit = if answered(&error) { STUBBORN } else { self.patience };
            if begun.elapsed() >= limit {
                return Err(lane("remove a container", error));
            }
            sleep(PAUSE / 4).await;
        }
    }

    /// Every container of this lane in any state, or of one sandbox only.
    pub(super) async fn containers(&self, sandbox: Option<&str>) -> Result<Vec<ContainerSummary>> {
        let label = sandbox.map_or_else(|| SANDBOX.to_owned(), |id| format!("{SANDBOX}={id}"));
        let filters = HashMap::from([("label".to_owned(), vec![label])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let found = within(self.docker.list_containers(Some(options))).await;
        found.map_err(|e| lane("list the engine's containers", e))
    }
}

fn has_name(found: &ContainerInspectResponse, name: &str) -> bool {
    found.name.as_ref().is_some_and(|now| now.trim_start_matches('/') == name)
}

pub(super) fn lane(action: &str, source: Client) -> Error {
    Error::Lane { action: action.into(), source: source.into() }
}
