//! What decides whether a candidate may land.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::context::AgentContext;
use crate::{AgentReport, GateSpec, Result};

/// Somebody who judges a candidate.
///
/// It runs in a sandbox of its own, on a clean worktree of exactly the candidate's commit.
#[async_trait]
pub trait Gate: Debug + Send + Sync + 'static {
    /// The name under which a run remembers its gate: only a fleet whose gate has the same name can go on with it.
    fn name(&self) -> &str;

    /// How long it may take.
    fn deadline(&self) -> Duration;

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
    fn name(&self) -> &str {
        "plan"
    }

    fn deadline(&self) -> Duration {
        match self {
            Self::Command { deadline, .. } => *deadline,
            Self::None => Duration::ZERO,
        }
    }

    async fn judge(&self, context: &mut AgentContext<'_>) -> Result<Verdict> {
        let Self::Command { command, env, .. } = self else { return Ok(Verdict::Passed) };
        let Some((program, args)) = command.split_first() else {
            return Ok(Verdict::Failed { why: "the gate's command is empty".into() });
        };
        let mut line = context.command(program).args(args);
        for (key, value) in env {
            line = line.env(key, value);
        }
        let exit = context.exec(line).await?;
        Ok(match AgentReport::from_exit(&exit) {
            AgentReport::Done => Verdict::Passed,
            AgentReport::Stopped => Verdict::Stopped,
            AgentReport::Failed { why } => {
                let last = context.last_line();
                let said = if last.is_empty() { String::new() } else { format!(", saying: {last}") };
                Verdict::Failed { why: format!("the gate {why}{said}") }
            }
        })
    }
}
