//! One piece of work.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What some systems take for a device, whatever directory it stands in.
const RESERVED: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "lpt1", "lpt2",
    "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// The name of a task in its plan: 1 to 40 lower-case ASCII letters, digits, `_` or `-`, starting with a letter or digit.
///
/// It becomes part of directory, branch and container names, which is why it is narrow. Names that some systems keep for
/// devices (`con`, `nul`, `com1`, …) are refused, because such a branch cannot be used everywhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskId(String);

impl TaskId {
    /// Checks the text and makes it an id.
    ///
    /// # Errors
    /// [`Error::Plan`] with what is expected.
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let fits = (1..=40).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'));
        if fits && !RESERVED.contains(&text.as_str()) {
            return Ok(Self(text));
        }
        let expected = "use 1 to 40 lower-case ASCII letters, digits, '_' or '-', starting with a letter or digit, \
                        and no name of a device such as con or nul";
        Err(Error::Plan { problem: format!("task id {text:?} is not valid: {expected}") })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for TaskId {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        Self::new(text)
    }
}

impl From<TaskId> for String {
    fn from(id: TaskId) -> String {
        id.0
    }
}

/// One piece of work for one agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its name.
    pub id: TaskId,
    /// What the agent is told.
    pub prompt: String,
    /// Which agent of the plan or of the fleet does it.
    pub agent: String,
    /// The tasks that must have landed before this one starts; its base then contains them.
    pub needs: Vec<TaskId>,
    /// How long the agent may take, each time.
    pub deadline: Duration,
    /// How long the agent may be silent, if that matters.
    pub idle: Option<Duration>,
    /// Variables for the agent.
    pub env: BTreeMap<String, String>,
    /// How often the agent may work at most: once, and again in the same tree and home each time its change fails the gate.
    #[serde(default = "once")]
    pub turns: u32,
}

/// What tasks have that do not say.
fn once() -> u32 {
    1
}

impl Task {
    /// A task without prerequisites, with half an hour of time.
    ///
    /// # Errors
    /// [`Error::Plan`] when the id is not valid.
    pub fn new(id: impl Into<String>, agent: impl Into<String>) -> Result<Self> {
        Ok(Self {
            id: TaskId::new(id)?,
            prompt: String::new(),
            agent: agent.into(),
            needs: Vec::new(),
            deadline: Duration::from_secs(30 * 60),
            idle: None,
            env: BTreeMap::new(),
            turns: once(),
        })
    }

    /// The same task with this prompt.
    #[must_use]
    pub fn prompt(mut self, prompt: impl Into<String>) -> Self {
        self.prompt = prompt.into();
        self
    }

    /// The same task, to start only when `task` has landed.
    #[must_use]
    pub fn needs(mut self, task: &TaskId) -> Self {
        self.needs.push(task.clone());
        self
    }

    /// The same task, whose agent is asked again when its change fails the gate, until it has worked so often.
    #[must_use]
    pub fn turns(mut self, turns: u32) -> Self {
        self.turns = turns;
        self
    }

    /// The same task with this deadline.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }
}
