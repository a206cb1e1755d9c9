//! What to run, and what it may see.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Error, Policy, Redact, Result, Secret};

/// The name under which a sandbox is found again, also by another process.
///
/// 1 to 100 ASCII letters, digits, `.`, `_` or `-`, starting with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SandboxId(String);

impl SandboxId {
    /// Checks the text and makes it an id.
    ///
    /// # Errors
    /// [`Error::InvalidSpec`] with what is expected.
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let fits = (1..=100).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        if fits {
            Ok(Self(text))
        } else {
            let problem = "use 1 to 100 ASCII letters, digits, '.', '_' or '-', starting with a letter or digit";
            Err(Error::InvalidSpec { what: format!("sandbox id {text:?}"), problem: problem.into() })
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SandboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for SandboxId {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        Self::new(text)
    }
}

impl From<SandboxId> for String {
    fn from(id: SandboxId) -> String {
        id.0
    }
}

/// Pairs that a sandbox carries so that its owner finds it again.
pub type Labels = BTreeMap<String, String>;

/// One sandbox: what it must guarantee and what it can see.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Its name; unique in its lane.
    pub id: SandboxId,
    /// Pairs to find it by.
    pub labels: Labels,
    /// What must hold.
    pub policy: Policy,
    /// Paths to make visible, in this order: later ones may lie below earlier ones. In the native lane, a directory that
    /// lies between two of them becomes a mount, so that it cannot be moved; a rename across it fails with `EXDEV`.
    pub mounts: Vec<Mount>,
    /// A directory of the caller's that is `HOME` inside, and so outlives each command; without one, every command gets
    /// an empty `HOME` of its own.
    pub home: Option<PathBuf>,
}

/// One path to make visible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// An absolute path on the host.
    pub source: PathBuf,
    /// An absolute path inside.
    pub target: PathBuf,
    /// Whether it may be written.
    pub access: Access,
}

/// Whether a mounted path may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// Readable only.
    ReadOnly,
    /// Readable and writable.
    ReadWrite,
}

/// One command line to run in a sandbox.
///
/// The environment is built from nothing: `PATH`, `HOME`, `TMPDIR` and `LANG` as the lane defines them, then `env`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The program: a path, or a name to look up in `PATH` inside.
    pub program: OsString,
    /// Its arguments, without the program.
    pub args: Vec<OsString>,
    /// Variables on top of the lane's own.
    pub env: BTreeMap<OsString, OsString>,
    /// Values that only this command gets.
    pub secrets: Vec<Secret>,
    /// Whether their values are taken out of the output.
    pub redact: Redact,
    /// The directory to run in, as seen inside.
    pub workdir: PathBuf,
    /// What standard input delivers before it ends.
    pub stdin: Vec<u8>,
    /// How long it may take. Then everything it started gets SIGTERM, and after [`grace`](Self::grace) SIGKILL.
    pub deadline: Duration,
    /// How long it may be silent, if that matters.
    pub idle: Option<Duration>,
    /// The time between SIGTERM and SIGKILL.
    pub grace: Duration,
}

impl Command {
    /// A command without arguments that runs in `workdir` for at most ten minutes, with five seconds of grace.
    pub fn new(program: impl Into<OsString>, workdir: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            secrets: Vec::new(),
            redact: Redact::default(),
            workdir: workdir.into(),
            stdin: Vec::new(),
            deadline: Duration::from_secs(600),
            idle: None,
            grace: Duration::from_secs(5),
        }
    }

    /// The same command with more arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// The same command with one more variable.
    #[must_use]
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.insert(key.into(), value.into());
        self
    }

    /// The same command with one more secret.
    #[must_use]
    pub fn secret(mut self, secret: Secret) -> Self {
        self.secrets.push(secret);
        self
    }

    /// The same command with this standard input.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// The same command with this deadline.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }
}
