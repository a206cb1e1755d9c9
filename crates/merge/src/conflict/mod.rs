//! Conflicts as data.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::{CommitId, ConflictId, RepoPath};

pub(crate) mod assemble;
mod history;
mod id;
mod inspect;
mod kind;
mod markers;
mod terms;

pub(crate) use assemble::{Found, entry_in};
pub use history::Touch;
pub use inspect::{Hunk, Inspection};
pub use kind::ConflictKind;
pub use markers::{MarkerStyle, Markers, Rendered};
pub(crate) use markers::{Versions, versions};
pub use terms::{Entry, Terms};

/// Why a change cannot be brought onto its target without a decision.
///
/// A merge that is clean is another value; nobody has to look whether a list is empty, and this one never is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The commit that was merged into: the tip of the target or, in a series, what the commits before made of it.
    ///
    /// In the middle of a series it exists nowhere but in the series: prepare again to get to it.
    pub ours: CommitId,
    /// The commit that was merged: the tip of the change, or the commit of a series at which it stopped.
    pub theirs: CommitId,
    /// The merge bases, best first. Several when the histories crossed, none when they are unrelated.
    pub bases: Vec<CommitId>,
    /// What conflicts, in the order of paths.
    pub paths: ConflictPaths,
}

/// The paths that conflict. There is at least one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<ConflictPath>", into = "Vec<ConflictPath>")]
pub struct ConflictPaths(Vec<ConflictPath>);

/// A list of conflicting paths that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NothingConflicts;

/// One path that conflicts. A path may be in several conflicts, and a conflict may involve several paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictPath {
    /// The same for the same conflict in every worktree, clone and process, and in both directions: made of the kind
    /// and of the terms alone.
    pub id: ConflictId,
    /// Its name in the result. Empty when the trees conflict as a whole.
    pub path: RepoPath,
    /// What kind of conflict it is.
    pub kind: ConflictKind,
    /// The versions that do not fit together.
    pub terms: Terms,
}

impl ConflictPath {
    /// The version on the target.
    pub fn ours(&self) -> Option<&Entry> {
        self.terms.ours()
    }

    /// The version in the change.
    pub fn theirs(&self) -> Option<&Entry> {
        self.terms.theirs()
    }

    /// The version that both come from; where histories crossed and left several, the oldest of them.
    pub fn base(&self) -> Option<&Entry> {
        self.terms.base()
    }
}

impl ConflictPaths {
    /// Takes a list that is not empty.
    ///
    /// # Errors
    /// [`NothingConflicts`] when it is.
    pub fn new(paths: Vec<ConflictPath>) -> Result<Self, NothingConflicts> {
        if paths.is_empty() { Err(NothingConflicts) } else { Ok(Self(paths)) }
    }

    /// The first one, which is always there.
    pub fn first(&self) -> &ConflictPath {
        &self.0[0]
    }
}

impl Deref for ConflictPaths {
    type Target = [ConflictPath];
    fn deref(&self) -> &[ConflictPath] {
        &self.0
    }
}

impl<'a> IntoIterator for &'a ConflictPaths {
    type Item = &'a ConflictPath;
    type IntoIter = std::slice::Iter<'a, ConflictPath>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl TryFrom<Vec<ConflictPath>> for ConflictPaths {
    type Error = NothingConflicts;
    fn try_from(paths: Vec<ConflictPath>) -> Result<Self, NothingConflicts> {
        Self::new(paths)
    }
}

impl From<ConflictPaths> for Vec<ConflictPath> {
    fn from(paths: ConflictPaths) -> Self {
        paths.0
    }
}

impl fmt::Display for NothingConflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a conflict has at least one path")
    }
}

impl std::error::Error for NothingConflicts {}
