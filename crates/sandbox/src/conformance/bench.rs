//! What the checks share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::{Act, Failure, Programs};
use crate::{
    Access, Command, Coverage, Error, Exit, Guarantee, Labels, Mount, Output, Policy, Process, Running, Sandbox,
    SandboxId, Spec, Stream,
};

/// How long something may take to begin.
const BEGIN: Duration = Duration::from_secs(60);
/// How long something that is dead is watched for a sign of life.
const STILL: Duration = Duration::from_millis(500);

/// A lane and all that a check of it takes.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) sandbox: Arc<dyn Sandbox>,
    programs: Arc<dyn Programs>,
    dir: tempfile::TempDir,
    rule: &'static str,
    next: AtomicU32,
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) exit: Exit,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    /// The gaps in the output, in the order in which they were told.
    pub(super) gaps: Vec<(Stream, u64)>,
}

impl Seen {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The same, unless the command did not end well.
    pub(super) fn ok(self) -> Result<Self, Failure> {
        demand(self.exit.success(), || format!("a command that must end well ended so: {:?}", self.exit))?;
        Ok(self)
    }
}

impl Bench {
    pub(super) fn new(
        rule: &'static str,
        programs: Arc<dyn Programs>,
        sandbox: Arc<dyn Sandbox>,
    ) -> std::io::Result<Self> {
        Ok(Self { sandbox, programs, dir: tempfile::tempdir()?, rule, next: AtomicU32::new(0) })
    }

    /// A specification that requires nothing, so that every lane starts it.
    pub(super) fn spec(&self) -> Spec {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}-{}-{number}", self.rule, std::process::id());
        let policy = Policy { required: [].into(), ..Policy::open() };
        // Rules have short names of letters and hyphens.
        let id = SandboxId::new(id).unwrap_or_else(|e| unreachable!("{e}"));
        Spec { id, labels: self.labels(), policy, mounts: Vec::new(), home: None }
    }

    /// The same with a directory that can be written on both sides, at the same path.
    pub(super) fn spec_with_directory(&self) -> Result<(Spec, PathBuf), Failure> {
        let mut spec = self.spec();
        let unusable = |e: std::io::Error| Failure::NotChecked(format!("the temporary directory cannot be used: {e}"));
        let path = self.dir.path().canonicalize().map_err(unusable)?;
        spec.mounts.push(Mount { source: path.clone(), target: path.clone(), access: Access::ReadWrite });
        Ok((spec, path))
    }

    /// Labels that no other check has.
    pub(super) fn labels(&self) -> Labels {
        let value = format!("{}-{}", self.dir.path().display(), self.rule);
        [("conformance".to_owned(), value)].into()
    }

    /// A command that does this, ends soon, and is killed soon after it was asked to end.
    pub(super) fn command(&self, act: &Act) -> Result<Command, Failure> {
        let missing = || Failure::NotChecked(format!("the lane has no program for {act:?}"));
        let mut command = self.programs.command(act).ok_or_else(missing)?;
        (command.deadline, command.grace) = (BEGIN, Duration::from_millis(300));
        Ok(command)
    }

    /// Only goes on where the lane claims this at least in part.
    pub(super) fn claims(&self, guarantee: Guarantee) -> Result<(), Failure> {
        match self.sandbox.coverage(guarantee) {
            Coverage::Enforced | Coverage::Partial(_) => Ok(()),
            Coverage::Unenforced(why) => {
                Err(Failure::NotChecked(format!("the lane does not claim {guarantee}: {why}")))
            }
        }
    }

    pub(super) async fn start(&self, spec: Spec) -> Result<Box<dyn Running>, Failure> {
        Ok(self.sandbox.start(spec).await?)
    }

    /// Runs one command in a sandbox of its own, and stops that.
    pub(super) async fn run(&self, spec: Spec, command: Command) -> Result<Seen, Failure> {
        let mut running = self.start(spec).await?;
        let seen = read(running.exec(command).await?).await?;
        running.stop(Duration::ZERO).await?;
        Ok(seen)
    }

    /// The same for something that is to be done.
    pub(super) async fn does(&self, act: &Act) -> Result<Seen, Failure> {
        self.run(self.spec(), self.command(act)?).await
    }
}

/// Goes on only if this holds.
pub(super) fn demand(holds: bool, found: impl FnOnce() -> String) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::Broken(found())) }
}

/// Reads a process to its end.
pub(super) async fn read(mut process: Process) -> Result<Seen, Failure> {
    let (mut stdout, mut stderr, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(output) = process.next().await {
        match output {
            Output::Bytes(Stream::Stdout, bytes) => stdout.extend(bytes),
            Output::Bytes(Stream::Stderr, bytes) => stderr.extend(bytes),
            Output::Truncated { stream, dropped } => gaps.push((stream, dropped)),
        }
    }
    Ok(Seen { exit: process.wait().await?, stdout, stderr, gaps })
}

/// Reads until this was printed on standard output.
pub(super) async fn until(process: &mut Process, text: &str) -> Result<(), Failure> {
    let mut seen = String::new();
    while !seen.contains(text) {
        match process.next().await {
            Some(Output::Bytes(_, bytes)) => seen.push_str(&String::from_utf8_lossy(&bytes)),
            other => return Err(Failure::Broken(format!("{other:?} came before {text:?}; so far came {seen:?}"))),
        }
    }
    Ok(())
}

/// Waits until something beats.
pub(super) async fn beats(file: &std::path::Path) -> Result<(), Failure> {
    let until = Instant::now() + BEGIN;
    while std::fs::read(file).map_or(true, |content| content.is_empty()) {
        demand(Instant::now() < until, || "a program that writes to a mounted directory never did".into())?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Goes on only if nothing beats any more.
pub(super) async fn still(file: &std::path::Path) -> Result<(), Failure> {
    let before = std::fs::read(file).unwrap_or_default();
    tokio::time::sleep(STILL).await;
    let after = std::fs::read(file).unwrap_or_default();
    demand(before == after, || "something still wrote to the mounted directory".into())
}

/// An error of one kind, whether it came at once or when the end was waited for.
pub(super) async fn error_of(running: &mut Box<dyn Running>, command: Command) -> Result<Error, Failure> {
    let found = match running.exec(command).await {
        Err(error) => return Ok(error),
        Ok(process) => process.wait().await,
    };
    match found {
        Err(error) => Ok(error),
        Ok(exit) => Err(Failure::Broken(format!("it ran, and ended so: {exit:?}"))),
    }
}
