//! From the demand for a command to its first output: in a container that is made for it, and in one that was ready.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hedgerow_orchestrator::sandbox::{
    Command, DockerOptions, DockerSandbox, Output, Running, Sandbox, Spec, Start, Stream, Warm,
};

use super::place::{Load, spec};
use crate::Failure;
use crate::lane::{IMAGE, Lane};

/// How long a container may take to get ready; it is not measured.
const PATIENCE: Duration = Duration::from_secs(120);

/// A lane that has containers ready.
pub(super) struct Warmed(DockerSandbox);

impl Warmed {
    pub(super) async fn open() -> Result<Self, Failure> {
        let lane = DockerSandbox::connect(DockerOptions::new(IMAGE)).await?;
        let pattern = spec(Lane::Docker, "pattern", Load::Limited)?;
        Ok(Self(lane.warm([Warm::like(pattern, 2)]).await?))
    }

    /// The time until the first output of a command that was given a container that was ready.
    pub(super) async fn first(&self, spec: Spec) -> Result<f64, Failure> {
        self.at_rest().await?;
        let seconds = first(&self.0, spec, &Start::Warm).await?;
        // Making the next one is nothing that what is measured after this should wait for.
        self.at_rest().await?;
        Ok(seconds)
    }

    /// Waits until all of them are ready, so that the engine makes none meanwhile.
    async fn at_rest(&self) -> Result<(), Failure> {
        let began = Instant::now();
        while self.0.warmth().iter().any(|kind| kind.ready < 2) {
            if began.elapsed() > PATIENCE {
                return Err(format!("no container gets ready: {:?}", self.0.warmth()).into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    pub(super) async fn close(&self) -> Result<(), Failure> {
        Ok(self.0.cool().await?)
    }
}

/// The same in a container that is made for the command.
pub(super) async fn cold(lane: &Arc<dyn Sandbox>, spec: Spec) -> Result<f64, Failure> {
    first(&**lane, spec, &Start::Fresh).await
}

async fn first(lane: &dyn Sandbox, spec: Spec, expected: &Start) -> Result<f64, Failure> {
    let began = Instant::now();
    let mut running: Box<dyn Running> = lane.start(spec).await?;
    let mut process = running.exec(Command::new("echo", "/").args(["begun"])).await?;
    let Some(Output::Bytes(Stream::Stdout, _)) = process.next().await else {
        return Err("`echo` printed nothing".into());
    };
    let seconds = began.elapsed().as_secs_f64();
    let start = process.start().clone();
    process.wait().await?;
    running.stop(Duration::ZERO).await?;
    if start == *expected { Ok(seconds) } else { Err(format!("it started {start:?}").into()) }
}
