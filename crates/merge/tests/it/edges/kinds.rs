//! What conflicts are called, here and in git.

use std::collections::BTreeSet;

use hedgerow_merge::{Conflict, ConflictKind};

/// What git calls the conflicts of a merge, from what `git merge-tree -z` says.
fn named_by_git(text: &str) -> BTreeSet<String> {
    let (_, messages) = text.split_once("\0\0").unwrap_or_default();
    // The field before the text is the kind alone, with a space or without.
    let kind = |field: &str| {
        Some(field.strip_prefix("CONFLICT")?.trim_start().strip_prefix('(')?.strip_suffix(')')?.to_owned())
    };
    messages.split('\0').filter_map(kind).collect()
}

/// What git calls a kind. Where it says no more than that contents conflict, this crate does.
fn gits_name(kind: ConflictKind) -> &'static str {
    match kind {
        ConflictKind::Content | ConflictKind::AddAdd | ConflictKind::Symlink | ConflictKind::DistinctModes => {
            "contents"
        }
        // Both are contents that conflict; the rename says how they met.
        ConflictKind::RenameRename2To1 | ConflictKind::RenameAdd => "contents",
        ConflictKind::Binary => "binary",
        // Git's own name for it.
        ConflictKind::DistinctTypes => "distinct modes",
        ConflictKind::ModifyDelete => "modify/delete",
        ConflictKind::RenameRename1To2 => "rename/rename",
        ConflictKind::RenameDelete => "rename/delete",
        ConflictKind::FileDirectory => "file/directory",
        ConflictKind::DirectoryRename => "directory rename suggested",
        ConflictKind::DirectoryRenameSplit => "directory rename unclear split",
        ConflictKind::DirectoryRenameInTheWay => "file in way of directory rename",
        ConflictKind::DirectoryRenameCollision => "directory rename collision",
        ConflictKind::Submodule => "submodule not initialized",
        _ => "something else",
    }
}

/// What git says in addition of one path. This crate says the first of the two alone.
const ALSO: &[(&str, &str)] = &[
    ("binary", "contents"),
    ("submodule not initialized", "contents"),
    ("file/directory", "modify/delete"),
    ("directory rename suggested", "contents"),
];

/// The conflicts are called what git calls them; `text` is what `git merge-tree -z` says.
pub(crate) fn same(conflict: &Conflict, text: &str) -> Result<(), String> {
    let ours: BTreeSet<_> = conflict.paths.iter().map(|path| gits_name(path.kind).to_owned()).collect();
    let mut gits = named_by_git(text);
    for (said, also) in ALSO {
        if ours.contains(*said) && !ours.contains(*also) {
            gits.remove(*also);
        }
    }
    if ours == gits { Ok(()) } else { Err(format!("{ours:?}, git has {gits:?}")) }
}
