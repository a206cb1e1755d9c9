//! Containers that are ready before they are asked for.

#[cfg(all(feature = "conformance", feature = "fake"))]
mod conformance;
mod leaks;
mod lost;
mod planted;
mod same;
mod short;

use std::time::Duration;

use bollard::models::ContainerSummary;
use bollard::query_parameters::ListContainersOptionsBuilder;
use hedgerow_sandbox::{Command, DockerOptions, DockerSandbox, Error, Sandbox, SandboxId, Spec, Start, Warm};

use super::{IMAGE, Said, Tree, engine, fresh_id, lane, listen, spec};

/// A lane of one test's own, or none where there is no engine or no way to mount a tree into a container.
async fn fenced(mark: &SandboxId) -> Option<DockerSandbox> {
    lane().await?;
    let options = DockerOptions::new(IMAGE).label("fence", mark.as_str());
    Some(DockerSandbox::connect(options).await.expect("connects"))
}

/// The same with so many containers for a sandbox on this tree, when they are ready.
pub(super) async fn warm(mark: &SandboxId, tree: &Tree, count: usize) -> Option<DockerSandbox> {
    warm_for(mark, [Warm::like(spec("pattern", tree), count)], count).await
}

async fn warm_for(
    mark: &SandboxId,
    kinds: impl IntoIterator<Item = Warm> + Send,
    count: usize,
) -> Option<DockerSandbox> {
    match fenced(mark).await?.warm(kinds).await {
        Ok(lane) => {
            ready(&lane, count).await;
            Some(lane)
        }
        // Only root on the engine's machine may.
        Err(error @ Error::Unavailable { .. }) if !is_root() => {
            crate::world::skipped(&error.to_string());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Waits until so many containers of the first kind wait.
async fn ready(lane: &DockerSandbox, count: usize) {
    for _ in 0..1200 {
        if lane.warmth()[0].ready >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("they are not made: {:?}", lane.warmth());
}

/// The containers of a test, in any state.
async fn marked(mark: &SandboxId) -> Vec<ContainerSummary> {
    let filters = [("label".to_owned(), vec![format!("fence={mark}")])].into();
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    engine().await.list_containers(Some(options)).await.expect("list")
}

/// Waits until the engine has no container of a test any more.
async fn none_left(mark: &SandboxId) {
    for _ in 0..600 {
        if marked(mark).await.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("left: {:?}", marked(mark).await);
}

/// Runs one command in a sandbox of its own, and says how it started.
async fn run(lane: &DockerSandbox, spec: Spec, command: Command) -> (Start, Said) {
    let mut running = lane.start(spec).await.expect("the policy is kept");
    let process = running.exec(command).await.expect("the command starts");
    let start = process.start().clone();
    let said = listen(process).await;
    running.stop(Duration::from_secs(1)).await.expect("stopped");
    (start, said)
}

/// The same of one that must have been given a container that was ready.
async fn run_warm(lane: &DockerSandbox, spec: Spec, command: Command) -> Said {
    let (start, said) = run(lane, spec, command).await;
    assert_eq!(start, Start::Warm, "{said:?}");
    said
}
