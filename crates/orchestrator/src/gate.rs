//! What decides whether a candidate may land.

use std::fmt::Debug;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::context::AgentContext;
use crate::{GateSpec, Result};

/// Somebody who judges a candidate.
///
/// It runs in a sandbox of its own, on a clean worktree of exactly the candidate's commit.
#[async_trait]
pub trait Gate: Debug + Send + Sync + 'static {
    /// Judges the tree in the context's current directory.
    ///
    /// # Errors
    /// When the machinery failed; a tree that does not pass is a [`Verdict`].
    async fn judge(&self, context: &mut AgentContext<'_>) -> Result<Verdict>;
}

/// What a gate says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It may land.
    Passed,
    /// It may not.
    Failed {
        /// Why, in one line.
        why: String,
    },
    /// The gate was stopped because the run is ending, and says nothing.
    Stopped,
}

#[async_trait]
impl Gate for GateSpec {
    async fn judge(&self, context: &mut AgentContext<'_>) -> Result<Verdict> {
        let Self::Command { command, env, .. } = self else { return Ok(Verdict::Passed) };
        let mut line = context.command(&command[0]).args(&command[1..]);
        for (key, value) in env {
            line = line.env(key, value);
        }
        let exit = context.exec(line).await?;
        Ok(match crate::AgentReport::from_exit(&exit) {
            crate::AgentReport::Done => Verdict::Passed,
            crate::AgentReport::Stopped => Verdict::Stopped,
            crate::AgentReport::Failed { why } => {
                let tail = context.last_line();
                let said = if tail.is_empty() { String::new() } else { format!(", saying: {tail}") };
                Verdict::Failed { why: format!("the gate {why}{said}") }
            }
        })
    }
}
