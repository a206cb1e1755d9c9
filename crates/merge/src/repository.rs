//! The repository as this crate sees it: objects, and the refs that land.

use std::path::{Path, PathBuf};

use crate::{BranchName, Candidate, Checkout, CommitId, Landing, Result};

/// A repository, opened once, from which changes are prepared and landed.
#[derive(Clone, Debug)]
pub struct Repository {
    path: PathBuf,
}

impl Repository {
    /// Opens the repository whose main checkout or git directory is exactly at `path`; parents are not searched.
    ///
    /// # Errors
    /// [`Error::Repository`](crate::Error::Repository) when there is none, or none that can be used.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Ok(Self { path: path.as_ref().to_path_buf() })
    }

    /// The commit that a branch names now.
    ///
    /// # Errors
    /// [`Error::NoBranch`](crate::Error::NoBranch) when it does not exist or is not yet born.
    pub fn tip(&self, _branch: &BranchName) -> Result<CommitId> {
        CommitId::new(self.path.display().to_string())
    }

    /// The branch that `HEAD` of the repository names, if it names one.
    ///
    /// # Errors
    /// When `HEAD` cannot be read.
    pub fn head_branch(&self) -> Result<Option<BranchName>> {
        Ok(None)
    }

    /// Whether `commit` is `ancestor` or descends from it.
    ///
    /// # Errors
    /// When an object is missing.
    pub fn contains(&self, _commit: &CommitId, _ancestor: &CommitId) -> Result<bool> {
        Ok(false)
    }

    /// Moves the candidate's target from the commit that it was prepared on to the candidate, and nothing else.
    ///
    /// A compare-and-swap: the target is only ever moved forward, only from the expected commit, with a reflog entry.
    /// Landing a candidate that has landed already is [`Landing::Landed`].
    ///
    /// # Errors
    /// When the repository could not be read or the ref not be written; the target is then as it was.
    pub fn land(&self, _candidate: &Candidate, _checkout: Checkout) -> Result<Landing> {
        Ok(Landing::TargetMoved { now: None })
    }
}
