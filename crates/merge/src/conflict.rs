//! Conflicts as data.

use serde::{Deserialize, Serialize};

use crate::CommitId;

/// Why a change cannot be brought onto its target without a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The tip of the target.
    pub ours: CommitId,
    /// The tip of the change.
    pub theirs: CommitId,
    /// The merge bases, best first. Several when the histories crossed, none when they are unrelated.
    pub bases: Vec<CommitId>,
    /// What conflicts, in the order of paths. Never empty.
    pub paths: Vec<ConflictPath>,
}

/// One path that conflicts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictPath {
    /// Its name in the result, relative to the root, with `/`. Bytes that are no UTF-8 are replaced.
    pub path: String,
    /// What kind of conflict it is.
    pub kind: ConflictKind,
    /// The version in the merge base.
    pub base: Option<Side>,
    /// The version on the target.
    pub ours: Option<Side>,
    /// The version in the change.
    pub theirs: Option<Side>,
}

/// One of the three versions of a conflicting path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// The git mode, for example `0o100644`.
    pub mode: u32,
    /// The object id, in hexadecimal digits.
    pub id: String,
}

/// The kinds of conflicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ConflictKind {
    /// Both changed the same lines.
    Content,
    /// Both changed a binary file.
    Binary,
    /// Both added the path with different content.
    AddAdd,
    /// One changed what the other deleted.
    ModifyDelete,
    /// Both renamed the same file to different names, or different files to one name.
    RenameRename,
    /// One renamed what the other deleted.
    RenameDelete,
    /// One has a file where the other has a directory.
    FileDirectory,
    /// The versions are of different types, such as a file and a symlink.
    DistinctTypes,
    /// Both moved a submodule.
    Submodule,
    /// The histories have no commit in common.
    Unrelated,
    /// Any other kind; the sides tell more.
    Other,
}
