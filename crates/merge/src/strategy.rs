//! The trait that turns a change into a candidate.

use std::fmt::Debug;

use crate::{Candidate, Change, Conflict, Repository, Result, Target};

/// A way to bring a change onto a target.
///
/// Implementations are pure over objects: they read commits and trees, write new objects, and touch no ref, no index
/// and no working tree. The same input gives the same candidate id.
pub trait MergeStrategy: Debug + Send + Sync + 'static {
    /// Builds the commit that would land, or says why there is none.
    ///
    /// # Errors
    /// When an object is missing or cannot be read or written; a conflict is a value.
    fn prepare(&self, repository: &Repository, target: &Target, change: &Change) -> Result<Prepared>;
}

/// What came of preparing a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// A commit that no branch points to yet. Gate it, then [`land`](Repository::land) it.
    Candidate(Candidate),
    /// Both sides changed the same thing.
    Conflict(Conflict),
    /// The target contains the change already.
    AlreadyMerged,
}
