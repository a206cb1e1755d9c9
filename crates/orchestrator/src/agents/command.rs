//! Any command line as an agent.

use std::collections::BTreeMap;

use async_trait::async_trait;
use hedgerow_sandbox::{End, Exit};
use serde::{Deserialize, Serialize};

use crate::context::AgentContext;
use crate::{Agent, AgentReport, Result};

/// A program that does one task per run: it gets the prompt, works in its current directory, and ends.
///
/// In the arguments, `{prompt}` stands for the prompt and `{prompt_file}` for a file that holds it, if
/// [`PromptBy`] says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandAgent {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// How the prompt gets there.
    pub prompt: PromptBy,
    /// Variables for it; those of the task come on top.
    pub env: BTreeMap<String, String>,
}

/// How a [`CommandAgent`] gets its prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PromptBy {
    /// On standard input. Has no length limit and shows in no process list.
    #[default]
    Stdin,
    /// As an argument: `{prompt}` is replaced, or the prompt is appended. The kernel limits an argument to 128 KiB.
    Argument,
    /// In a read-only file: `{prompt_file}` is replaced by its path, or the path is appended.
    File,
}

impl CommandAgent {
    /// An agent for this command line that reads its prompt from standard input.
    pub fn new<A: Into<String>>(command: impl IntoIterator<Item = A>) -> Self {
        let command = command.into_iter().map(Into::into).collect();
        Self { command, prompt: PromptBy::Stdin, env: BTreeMap::new() }
    }

    fn words(&self, prompt: &str, prompt_file: &str) -> Vec<String> {
        let (placeholder, value) = match self.prompt {
            PromptBy::Stdin => return self.command.clone(),
            PromptBy::Argument => ("{prompt}", prompt),
            PromptBy::File => ("{prompt_file}", prompt_file),
        };
        let mut words: Vec<_> = self.command.iter().map(|word| word.replace(placeholder, value)).collect();
        if !self.command.iter().any(|word| word.contains(placeholder)) {
            words.push(value.to_owned());
        }
        words
    }
}

#[async_trait]
impl Agent for CommandAgent {
    async fn run(&self, context: &mut AgentContext<'_>) -> Result<AgentReport> {
        let prompt_file = context.prompt_file().to_string_lossy().into_owned();
        let words = self.words(context.prompt(), &prompt_file);
        let Some((program, args)) = words.split_first() else {
            return Ok(AgentReport::Failed { why: "its command is empty".into() });
        };
        let mut command = context.command(program).args(args);
        if self.prompt == PromptBy::Stdin {
            command = command.stdin(context.prompt());
        }
        for (key, value) in self.env.iter().chain(context.env()) {
            command = command.env(key, value);
        }
        let exit = context.exec(command).await?;
        Ok(AgentReport::from_exit(&exit))
    }

    /// Its one command was all that it does; only an end that nobody saw says nothing.
    async fn resumed(&self, exit: Exit) -> Result<Option<AgentReport>> {
        Ok(match exit.end {
            End::Lost { .. } => None,
            _ => Some(AgentReport::from_exit(&exit)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &[&str], prompt: PromptBy) -> Vec<String> {
        let agent = CommandAgent { prompt, ..CommandAgent::new(command.iter().copied()) };
        agent.words("fix it", "/p")
    }

    #[test]
    fn the_prompt_goes_where_the_command_line_says() {
        assert_eq!(words(&["a", "-x"], PromptBy::Stdin), ["a", "-x"]);
        assert_eq!(words(&["a", "-p={prompt}", "b"], PromptBy::Argument), ["a", "-p=fix it", "b"]);
        assert_eq!(words(&["a"], PromptBy::Argument), ["a", "fix it"]);
        assert_eq!(words(&["a", "@{prompt_file}"], PromptBy::File), ["a", "@/p"]);
    }
}
