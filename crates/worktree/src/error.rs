//! The one error type of this crate.

use std::fmt;
use std::path::{Path, PathBuf};

/// The result of an operation on worktrees.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the machinery of this crate failed.
///
/// Expected trouble is not here: an unsafe removal is a [`Fate::Kept`](crate::Fate::Kept), a strange tree a
/// [`Notice`](crate::Notice).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name breaks the rules of its kind.
    #[error("{what} {name:?} is not valid: {problem}")]
    InvalidName {
        /// The kind of name.
        what: NameKind,
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
    /// A revision does not name a commit.
    #[error("{revision:?} cannot be used as a base: {problem}")]
    Base {
        /// What was asked for.
        revision: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The id, the branch or the path belongs to somebody else.
    #[error("{what} {name:?} is taken: {problem}")]
    Occupied {
        /// What is taken.
        what: Taken,
        /// Which one.
        name: String,
        /// By whom, and what to do.
        problem: String,
    },
    /// The handle no longer holds the lease.
    #[error("worktree {id} is not leased to this caller: {problem}")]
    LeaseLost {
        /// Which worktree.
        id: String,
        /// What was found instead.
        problem: String,
    },
    /// A ref was moved by somebody else at the same moment.
    #[error("ref {reference} was moved by somebody else: {problem}")]
    RefMoved {
        /// The full name of the ref.
        reference: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// A file that shall be copied into new worktrees cannot be.
    #[error("{path:?} cannot be seeded: {problem}")]
    Seed {
        /// Which one, relative to the main checkout.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// No slot of a pool could be used, and its options say not to do without one.
    #[error("no tree of the pool can be used for {commit}: {problem}")]
    Exhausted {
        /// The commit that was wanted.
        commit: String,
        /// What to do.
        problem: &'static str,
    },
    /// A program that a request needs is missing, or failed.
    #[error("{program:?} did not do what was asked for: {problem}")]
    Program {
        /// Which one.
        program: PathBuf,
        /// What it said, or what to do.
        problem: String,
    },
    /// A file operation failed. Why is its source; what to do about it, where that is plain, is in the message.
    #[error("failed to {action} {path:?}{}", cure(source))]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
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
    /// Another process holds a lock for longer than is sensible, or a git that was killed has left one.
    #[error("timed out after {seconds} s waiting for {path:?}; {}", way_out(path))]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// How long was waited.
        seconds: u64,
    },
}

/// What a name that is not valid should have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NameKind {
    /// A [`WorktreeId`](crate::WorktreeId).
    WorktreeId,
    /// A [`BranchName`](crate::BranchName).
    BranchName,
    /// A [`CommitId`](crate::CommitId).
    CommitId,
    /// A [`BranchTemplate`](crate::BranchTemplate).
    BranchTemplate,
    /// The name of a task, from which others are made.
    Task,
    /// A ref under which something was rescued.
    RescueRef,
    /// A pattern of a sparse checkout.
    SparsePattern,
    /// A directory of a sparse checkout.
    SparseDirectory,
}

impl fmt::Display for NameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WorktreeId => "worktree id",
            Self::BranchName => "branch name",
            Self::CommitId => "commit id",
            Self::BranchTemplate => "branch template",
            Self::Task => "task",
            Self::RescueRef => "rescue ref",
            Self::SparsePattern => "sparse pattern",
            Self::SparseDirectory => "sparse directory",
        })
    }
}

/// What belongs to somebody else already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Taken {
    /// The id of the worktree.
    Id,
    /// The branch, or one that git cannot have beside it.
    Branch,
    /// The path of the tree.
    Path,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Id => "worktree id",
            Self::Branch => "branch",
            Self::Path => "path",
        })
    }
}

/// What to do about a lock that is in the way. Those of this crate die with their holder, those of git do not.
fn way_out(lock: &Path) -> &'static str {
    if lock.parent().is_some_and(|dir| dir.ends_with("hedgerow")) {
        "try again when the process that holds it is done"
    } else {
        "try again when no other git is at work in this repository; if it is still there then, one that was killed has left it, \
         so delete it, or have `doctor` find it"
    }
}

/// What to do about a failed file operation, where its kind says it.
fn cure(source: &std::io::Error) -> &'static str {
    use std::io::ErrorKind;
    match source.kind() {
        ErrorKind::PermissionDenied => {
            " (the user of this process may not: give it access there, run as the owner of the repository, or name another \
             directory in `LocalOptions::trees` if it is about a tree)"
        }
        ErrorKind::ReadOnlyFilesystem => {
            " (it is mounted read-only: remount it writable, or name a directory elsewhere in `LocalOptions::trees` if it is \
             about a tree)"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => " (make room there, and try again)",
        _ => "",
    }
}

impl Error {
    /// Whether trying the same again later may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::RefMoved { .. } | Self::Locked { .. } | Self::Exhausted { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_write_is_told_where_why_and_what_to_do() {
        use std::io::ErrorKind;
        let said = |kind: ErrorKind| {
            let e = Error::Io { action: "create", path: "/srv/trees".into(), source: kind.into() };
            crate::capture::fault::with_causes(&e)
        };
        let (denied, read_only) = (said(ErrorKind::PermissionDenied), said(ErrorKind::ReadOnlyFilesystem));
        for (text, part) in [
            (&denied, "create \"/srv/trees\""),
            (&denied, "give it access"),
            (&denied, "permission denied"),
            (&read_only, "mounted read-only"),
            (&read_only, "LocalOptions::trees"),
            (&said(ErrorKind::StorageFull), "make room"),
        ] {
            assert!(text.contains(part), "{text:?} does not say {part:?}");
        }
        assert_eq!(said(ErrorKind::NotFound), "failed to create \"/srv/trees\": entity not found");
    }

    #[test]
    fn whoever_waited_for_a_lock_is_told_whether_it_dies_with_its_holder() {
        let said = |path: &str| Error::Locked { path: path.into(), seconds: 3 }.to_string();
        assert!(said("/r/.git/hedgerow/lock").ends_with("done"));
        for of_git in ["/r/.git/packed-refs.lock", "/r/.git/refs/hedgerow/base/x-1.lock"] {
            assert!(said(of_git).contains("delete it"), "{of_git}");
        }
    }
}
