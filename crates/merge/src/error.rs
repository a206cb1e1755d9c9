//! The one error type of this crate.

use std::path::PathBuf;

use crate::Loss;

/// The result of an operation on changes.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the machinery of this crate failed.
///
/// Expected trouble is not here: a conflict is a [`Conflict`](crate::Conflict), a moved target a
/// [`Landing`](crate::Landing).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name breaks the rules of its kind.
    #[error("{what} {name:?} is not valid: {problem}")]
    InvalidName {
        /// The kind of name.
        what: &'static str,
        /// The text that was given.
        name: String,
        /// What to do about it.
        problem: &'static str,
    },
    /// The path holds no repository that can be used.
    #[error("{path:?} cannot be used as a repository: {problem}")]
    Repository {
        /// What was given.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A branch does not exist, or is not yet born.
    #[error("branch {branch} has no commit: {problem}")]
    NoBranch {
        /// Its name.
        branch: String,
        /// What to do.
        problem: String,
    },
    /// An object is missing or is not what it should be.
    #[error("object {id} cannot be used: {problem}")]
    Object {
        /// Its id.
        id: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A merge went wrong: its result has not what both sides did. Nothing was made of it; please report it.
    #[error("the merge would lose work in {} place(s), {:?} among them", losses.len(), losses.first().map(|loss| &loss.path))]
    NotConserved {
        /// What it lacks.
        losses: Vec<Loss>,
    },
    /// Nobody said how a commit was made, so nothing can be proven of it.
    #[error("nobody said how {commit} was made, so nothing can be proven of it; set `Candidate::made`, or merge")]
    Unproven {
        /// The commit.
        commit: String,
    },
    /// The [`Signer`](crate::Signer) did not sign a commit, so none was made.
    #[error("a commit was not signed")]
    Unsigned {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another process holds a lock of the repository for longer than is sensible.
    #[error("timed out waiting for {path:?}; if no other git process runs, remove that file and retry")]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// An operation of the git library failed.
    #[error("failed to {action}")]
    Git {
        /// What was tried, as a verb with its object.
        action: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// Wraps a failure of the git library; `action` completes "failed to".
    pub(crate) fn git<E>(action: impl Into<String>) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let action = action.into();
        move |error| Self::Git { action, source: error.into() }
    }

    /// Whether trying the same again later may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Locked { .. })
    }
}
