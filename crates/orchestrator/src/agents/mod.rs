//! Agents that come with the orchestrator.

mod command;

pub use command::{CommandAgent, PromptBy};
