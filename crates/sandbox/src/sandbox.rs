//! The two traits of this crate.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

use crate::{Command, Coverage, Guarantee, Labels, Process, Result, SandboxId, Spec, Usage};

/// A way to run commands with limits that are enforced or refused.
///
/// Implementations are called lanes. They know nothing of git or of tasks.
#[async_trait]
pub trait Sandbox: Debug + Send + Sync + 'static {
    /// The word for this lane in messages and records, for example `native`.
    fn name(&self) -> &'static str;

    /// How well this lane keeps a guarantee on this machine; found by probing, never by assuming.
    fn coverage(&self, guarantee: Guarantee) -> Coverage;

    /// Makes a sandbox ready to run commands.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused), before anything starts, when the policy requires what this lane cannot
    /// enforce; [`Error::InvalidSpec`](crate::Error::InvalidSpec) when a mount does not exist; else what went wrong.
    async fn start(&self, spec: Spec) -> Result<Box<dyn Running>>;

    /// Takes over a sandbox that an earlier process left running; none when it is gone or cannot outlive its owner.
    ///
    /// # Errors
    /// When the lane could not be asked.
    async fn adopt(&self, id: &SandboxId) -> Result<Option<Box<dyn Running>>>;

    /// The sandboxes of this lane that carry all these labels, running or not yet cleaned up.
    ///
    /// # Errors
    /// When the lane could not be asked.
    async fn list(&self, labels: &Labels) -> Result<Vec<SandboxId>>;
}

/// A sandbox that is ready to run commands, one at a time.
#[async_trait]
pub trait Running: Debug + Send + Sync {
    /// Runs a command in a process tree of its own: when it ends, everything that it started is gone.
    ///
    /// # Errors
    /// [`Error::Program`](crate::Error::Program) when the program cannot be started; else what went wrong in the lane.
    async fn exec(&mut self, command: Command) -> Result<Process>;

    /// The command that was underway when the sandbox was adopted, with its output from the beginning; none otherwise.
    ///
    /// One of which nothing can be believed any more ends as [`End::Lost`](crate::End::Lost).
    ///
    /// None also when it cannot be known that the command got all of its standard input: its owner died before the delivery was
    /// complete and noted. Such a command may have taken a part of its input for the whole, so it is killed and removed
    /// when the sandbox is adopted, even if it had ended by itself; the sandbox can be used and stopped like any other.
    ///
    /// # Errors
    /// When the lane could not be asked.
    async fn resume(&mut self) -> Result<Option<Process>>;

    /// What the sandbox has used so far.
    ///
    /// # Errors
    /// When the lane could not be asked.
    async fn usage(&self) -> Result<Usage>;

    /// Ends everything in the sandbox and removes what the lane had set up for it; mounts and home stay as they are.
    ///
    /// # Errors
    /// When something could not be removed; it is then found by [`Sandbox::list`].
    async fn stop(self: Box<Self>, grace: Duration) -> Result<Stopped>;
}

/// What [`Running::stop`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Nothing was running any more.
    Idle,
    /// Something was still running and was killed.
    Killed,
}
