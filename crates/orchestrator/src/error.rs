//! The one error type of this crate.

use std::path::PathBuf;

/// The result of an operation of the orchestrator.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the machinery of the orchestrator failed.
///
/// What tasks run into (a conflict, a red gate, a failed agent) is an [`Outcome`](crate::Outcome), not an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A plan cannot be meant so. Nothing was started.
    #[error("the plan cannot be used: {problem}")]
    Plan {
        /// What is wrong, where, and what to do.
        problem: String,
    },
    /// What the run needs is not there. Nothing was started.
    #[error("the run cannot start: {problem}")]
    Preflight {
        /// What is wrong and what to do.
        problem: String,
    },
    /// Another process works on this repository.
    #[error("another fleet works on this repository: {holder} (lock file {path:?})")]
    Held {
        /// The lock file.
        path: PathBuf,
        /// Who holds it.
        holder: String,
    },
    /// The journal cannot be read or written.
    #[error("journal {path:?}: {problem}")]
    Journal {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A file operation failed.
    #[error("failed to {action} {path:?}")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The worktree manager failed.
    #[error(transparent)]
    Worktree(#[from] hedgerow_worktree::Error),
    /// The sandbox failed.
    #[error(transparent)]
    Sandbox(#[from] hedgerow_sandbox::Error),
    /// The merge failed.
    #[error(transparent)]
    Merge(#[from] hedgerow_merge::Error),
    /// Something panicked: our machinery, or a strategy, an agent or a gate that was given to us.
    #[error("{what} panicked: {message}")]
    Panicked {
        /// What.
        what: &'static str,
        /// What it said.
        message: String,
    },
    /// There is no run of this name.
    #[error("there is no run {run:?} on this repository; `Fleet::status` lists them")]
    NoSuchRun {
        /// What was asked for.
        run: String,
    },
    /// A part of the orchestrator ended before its time.
    #[error("{what} ended unexpectedly; the journal tells where, and the next start finishes what was begun")]
    Gone {
        /// Which part.
        what: &'static str,
    },
}

impl Error {
    /// Whether trying the same again later may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Held { .. } => true,
            Self::Worktree(error) => error.is_transient(),
            Self::Sandbox(error) => error.is_transient(),
            Self::Merge(error) => error.is_transient(),
            _ => false,
        }
    }

    /// The message with those of all its sources, in one line.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        text
    }
}

pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.into();
    move |source| Error::Io { action, path, source }
}
