//! The lane.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use hedgerow_sandbox::{
    Command, Coverage, Error, Guarantee, Labels, Process, Result, Running, Sandbox, SandboxId, Spec, Stopped, Usage,
};

/// Runs each command as the last arguments of another one, in the lane inside.
///
/// What the lane inside enforces still holds: the program in front runs in the same sandbox as what it starts.
#[derive(Debug)]
pub(crate) struct Prefixed<S> {
    inner: S,
    prefix: Vec<OsString>,
}

impl<S: Sandbox> Prefixed<S> {
    /// The lane `inner`, with these words before each command.
    pub(crate) fn new<W: Into<OsString>>(inner: S, prefix: impl IntoIterator<Item = W>) -> Self {
        Self { inner, prefix: prefix.into_iter().map(Into::into).collect() }
    }

    fn around(&self, running: Box<dyn Running>) -> Box<dyn Running> {
        Box::new(PrefixedRunning { running, prefix: self.prefix.clone() })
    }
}

const LANE: &str = "prefixed";

/// A lane has a name of its own, also in what it refuses.
fn renamed(error: Error) -> Error {
    match error {
        Error::Refused { shortfalls, .. } => Error::Refused { lane: LANE, shortfalls },
        Error::Program { program, problem, .. } => Error::Program { lane: LANE, program, problem },
        other => other,
    }
}

#[async_trait]
impl<S: Sandbox> Sandbox for Prefixed<S> {
    fn name(&self) -> &'static str {
        LANE
    }

    fn coverage(&self, guarantee: Guarantee) -> Coverage {
        self.inner.coverage(guarantee)
    }

    async fn start(&self, spec: Spec) -> Result<Box<dyn Running>> {
        Ok(self.around(self.inner.start(spec).await.map_err(renamed)?))
    }

    async fn adopt(&self, id: &SandboxId) -> Result<Option<Box<dyn Running>>> {
        Ok(self.inner.adopt(id).await?.map(|running| self.around(running)))
    }

    async fn list(&self, labels: &Labels) -> Result<Vec<SandboxId>> {
        self.inner.list(labels).await
    }
}

#[derive(Debug)]
struct PrefixedRunning {
    running: Box<dyn Running>,
    prefix: Vec<OsString>,
}

#[async_trait]
impl Running for PrefixedRunning {
    async fn exec(&mut self, command: Command) -> Result<Process> {
        // The program in front would be found, whatever is wrong with the one behind it; so that is looked at here.
        if command.program.is_empty() {
            let problem = "its name is empty".into();
            return Err(Error::InvalidSpec { what: "the program".into(), problem });
        }
        let program = Path::new(&command.program);
        if program.is_absolute() && !program.exists() {
            let problem = "it was not found".into();
            return Err(Error::Program { lane: LANE, program: PathBuf::from(program), problem });
        }
        let mut words = self.prefix.clone();
        words.push(command.program.clone());
        words.extend(command.args.clone());
        let (program, args) = (words.remove(0), words);
        self.running.exec(Command { program, args, ..command }).await.map_err(renamed)
    }

    async fn resume(&mut self) -> Result<Option<Process>> {
        self.running.resume().await
    }

    async fn usage(&self) -> Result<Usage> {
        self.running.usage().await
    }

    async fn stop(self: Box<Self>, grace: Duration) -> Result<Stopped> {
        self.running.stop(grace).await
    }
}
