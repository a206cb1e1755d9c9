//! Conflicts as this crate reports them.

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice};
use gix::diff::tree_with_rewrites::Change;
use gix::merge::plumbing::tree::{Conflict, Resolution, ResolutionFailure};
use gix::objs::tree::{EntryKind, EntryMode};

use super::failed;
use crate::conflict::Found;
use crate::{ConflictKind, Entry, RepoPath, Result};

/// One of the two sides of a merge.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Ours,
    Theirs,
}

/// How much of a file decides whether it is binary; git looks at as much.
const BINARY_PROBE: usize = 8000;

pub(super) fn paths(session: &gix::Repository, conflicts: &[Conflict]) -> Vec<Found> {
    conflicts.iter().map(|conflict| path(session, conflict)).collect()
}

fn path(session: &gix::Repository, conflict: &Conflict) -> Found {
    let (we, they) = (&conflict.ours, &conflict.theirs);
    let (is_link, is_file) = (|entry: &Entry| entry.mode == 0o120_000, |entry: &Entry| is_regular(entry));
    // In the base, a renamed file has the name that it was renamed from.
    let at_base = if renamed(we) { we.source_location() } else { they.source_location() };
    let names = [at_base, we.location(), they.location()];
    let mut entries = conflict.entries().into_iter().zip(names).map(|(entry, name)| {
        let entry = entry.filter(|entry| entry.mode.is_no_tree());
        entry.map(|entry| side(name, entry.mode, entry.id))
    });
    let [base, ours, theirs] = std::array::from_fn(|_| entries.next().flatten());
    let both = [&ours, &theirs];
    let kind = match kind(conflict) {
        ConflictKind::Content if both.iter().all(|side| side.as_ref().is_some_and(is_link)) => ConflictKind::Symlink,
        ConflictKind::Content if both.iter().all(|side| side.as_ref().is_some_and(is_file)) => {
            let binary = both.into_iter().flatten().any(|side| is_binary(session, side));
            if binary { ConflictKind::Binary } else { content(we, they, base.is_some()) }
        }
        kind => kind,
    };
    Found { path: location(conflict), kind, base, ours, theirs }
}

/// Which kind of conflict it is when both have content at one name.
fn content(we: &Change, they: &Change, has_base: bool) -> ConflictKind {
    match (renamed(we), renamed(they)) {
        (true, true) if we.source_location() != they.source_location() => ConflictKind::RenameRename2To1,
        (true, false) | (false, true) if !has_base => ConflictKind::RenameAdd,
        _ if !has_base => ConflictKind::AddAdd,
        _ => ConflictKind::Content,
    }
}

fn renamed(change: &Change) -> bool {
    matches!(change, Change::Rewrite { .. })
}

/// Where the file is in the result: at its new name if one side renamed it.
fn location(conflict: &Conflict) -> BString {
    let change = if renamed(&conflict.theirs) && !renamed(&conflict.ours) { &conflict.theirs } else { &conflict.ours };
    change.location().to_owned()
}

fn kind(conflict: &Conflict) -> ConflictKind {
    let failure = match &conflict.resolution {
        Ok(Resolution::OursModifiedTheirsModifiedThenBlobContentMerge { .. }) => return ConflictKind::Content,
        Ok(Resolution::OursModifiedTheirsRenamedAndChangedThenRename { merged_blob: Some(_), .. }) => {
            return ConflictKind::Content;
        }
        Ok(Resolution::Forced(failure)) | Err(failure) => failure,
        Ok(_) => return ConflictKind::Other,
    };
    match failure {
        ResolutionFailure::SubmoduleMerge | ResolutionFailure::SubmoduleAddAdd => ConflictKind::Submodule,
        ResolutionFailure::OursRenamedTheirsRenamedToSameLocation => ConflictKind::RenameRename2To1,
        ResolutionFailure::OursRenamedTheirsRenamedDifferently { .. } => ConflictKind::RenameRename1To2,
        ResolutionFailure::OursDeletedTheirsRenamed => ConflictKind::RenameDelete,
        ResolutionFailure::OursModifiedTheirsDeleted => ConflictKind::ModifyDelete,
        ResolutionFailure::OursModifiedTheirsDirectoryThenOursRenamed { .. }
        | ResolutionFailure::OursDirectoryTheirsNonDirectoryTheirsRenamed { .. } => ConflictKind::FileDirectory,
        ResolutionFailure::OursModifiedTheirsRenamedTypeMismatch
        | ResolutionFailure::OursAddedTheirsAddedTypeMismatch { .. } => ConflictKind::DistinctTypes,
        ResolutionFailure::Unknown => ConflictKind::Other,
    }
}

fn is_regular(side: &Entry) -> bool {
    [EntryKind::Blob, EntryKind::BlobExecutable].iter().any(|kind| *kind as u32 == side.mode)
}

fn is_binary(session: &gix::Repository, side: &Entry) -> bool {
    let content = ObjectId::from_hex(side.id.as_bytes()).ok().filter(|_| is_regular(side));
    let content = content.and_then(|id| session.find_object(id).ok());
    content.is_some_and(|object| object.data.iter().take(BINARY_PROBE).any(|byte| *byte == 0))
}

/// An entry as public data.
pub(super) fn side(path: &BStr, mode: EntryMode, id: ObjectId) -> Entry {
    Entry { path: RepoPath::new(path.as_bytes()), mode: mode.value().into(), id: id.to_string() }
}

/// What a tree has at a path, if it is no directory.
pub(super) fn side_at(session: &gix::Repository, tree: ObjectId, path: &BString) -> Result<Option<Entry>> {
    let tree = session.find_tree(tree).map_err(failed("read a tree"))?;
    let entry = tree.lookup_entry(path.split(|b| *b == b'/')).map_err(failed("look up a path"))?;
    Ok(entry
        .filter(|entry| entry.mode().is_no_tree())
        .map(|entry| side(path.as_bstr(), entry.mode(), entry.object_id())))
}
