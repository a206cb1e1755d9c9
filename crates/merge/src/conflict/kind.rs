//! The kinds of conflicts: git's own, and those that only other file systems see.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kinds of conflicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ConflictKind {
    /// Both changed the same lines.
    Content,
    /// Both added the path with different content.
    AddAdd,
    /// Both changed a binary file, or one that attributes call so.
    Binary,
    /// Both changed where a symbolic link points.
    Symlink,
    /// Both changed the mode of a file, to different ones.
    DistinctModes,
    /// The versions are of different types, such as a file and a symlink.
    DistinctTypes,
    /// One changed what the other deleted.
    ModifyDelete,
    /// Both renamed the same file, to different names.
    #[serde(rename = "rename-rename-1to2")]
    RenameRename1To2,
    /// Both renamed different files to one name.
    #[serde(rename = "rename-rename-2to1")]
    RenameRename2To1,
    /// One renamed a file to a name at which the other added one.
    RenameAdd,
    /// One renamed what the other deleted.
    RenameDelete,
    /// One has a file where the other has a directory.
    FileDirectory,
    /// One added to a directory that the other renamed. git suggests the new place, and leaves it to you.
    DirectoryRename,
    /// One added to a directory that the other split, so that the new place cannot be told.
    DirectoryRenameSplit,
    /// The new place of an added file, in a directory that was renamed, is taken on the same side.
    DirectoryRenameInTheWay,
    /// Several added files would come to the same place, because directories were renamed into one.
    DirectoryRenameCollision,
    /// Both moved a submodule.
    Submodule,
    /// Each has a name that differs from one of the other's in upper and lower case alone. Many file systems cannot hold
    /// both; git does not see this, and it is looked for only where [`Names::Portable`](crate::Names::Portable) asks for it.
    CaseCollision,
    /// Each has a name that differs from one of the other's in how Unicode spells it alone. As above.
    UnicodeCollision,
    /// The histories have no commit in common.
    Unrelated,
    /// The histories crossed more often than is sensible to follow.
    Endless,
    /// Merging would cost more than is spent, and there is no [`Fallback`](crate::Fallback).
    TooCostly,
    /// Any other kind; the terms tell more.
    Other,
}

impl fmt::Display for ConflictKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As in data, so that what people read and what programs store is the same word.
        self.serialize(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_shown_as_it_is_stored() {
        assert_eq!(ConflictKind::RenameRename1To2.to_string(), "rename-rename-1to2");
        assert_eq!(ConflictKind::ModifyDelete.to_string(), "modify-delete");
        assert_eq!(serde_json::to_string(&ConflictKind::AddAdd).unwrap(), "\"add-add\"");
    }
}
