//! Who does the work.

use std::fmt::Debug;

use async_trait::async_trait;
use hedgerow_sandbox::Exit;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::context::AgentContext;

/// Somebody who turns a prompt into changes of a worktree.
///
/// An agent only acts through its [`AgentContext`]: commands run in the task's sandbox, under the task's deadline.
#[async_trait]
pub trait Agent: Debug + Send + Sync + 'static {
    /// Works on the task until it is done or gives up.
    ///
    /// The future may be dropped when the run is stopped hard; whatever was written by then is captured.
    ///
    /// # Errors
    /// When the machinery failed; an agent that did not succeed is an [`AgentReport`].
    async fn run(&self, context: &mut AgentContext<'_>) -> Result<AgentReport>;

    /// What to make of a command that an earlier process of ours had started and that has now ended.
    ///
    /// None means that this agent cannot go on from there: what was done is put under a rescue ref, and the task is
    /// tried again. That is the default, since an agent may have meant to run more commands than this one.
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    async fn resumed(&self, exit: Exit) -> Result<Option<AgentReport>> {
        let _unknown = exit;
        Ok(None)
    }
}

/// How an agent ended, in its own view. What it changed is found out from git, not from here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentReport {
    /// It says that it is done.
    Done,
    /// It did not succeed.
    Failed {
        /// Why, in one line.
        why: String,
    },
    /// It was stopped because the run is ending.
    Stopped,
}

impl AgentReport {
    /// What the end of a command line says: only a status of 0 is done.
    pub fn from_exit(exit: &Exit) -> Self {
        use hedgerow_sandbox::End;
        let why = match &exit.end {
            End::Exited { code: 0 } => return Self::Done,
            End::Stopped => return Self::Stopped,
            End::Exited { code } => format!("ended with status {code}"),
            End::Signaled { signal } => format!("was ended by signal {signal}"),
            End::ExitedOrSignaled { code } => {
                format!("ended with status {code}, or was ended by signal {}; it is not known which", code - 128)
            }
            End::Deadline => "ran into its deadline".into(),
            End::Idle => "was silent for too long".into(),
            End::OutOfMemory => "ran out of memory".into(),
            End::OutOfDisk => "wrote more than its disk limit".into(),
            End::OutputLimit => "wrote more output than it may".into(),
            End::Lost { why } => format!("was lost: {why}"),
            other => format!("ended: {other:?}"),
        };
        Self::Failed { why }
    }
}
