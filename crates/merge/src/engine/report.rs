//! Conflicts as this crate reports them.

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};
use gix::diff::tree_with_rewrites::Change;
use gix::merge::plumbing::tree::{Conflict, Resolution, ResolutionFailure};
use gix::objs::tree::{EntryKind, EntryMode};

use super::failed;
use crate::{ConflictKind, ConflictPath, Result, Side};

/// One of the two sides of a merge.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Ours,
    Theirs,
}

/// How much of a file decides whether it is binary; git looks at as much.
const BINARY_PROBE: usize = 8000;

pub(super) fn paths(session: &gix::Repository, conflicts: &[Conflict]) -> Vec<ConflictPath> {
    conflicts.iter().map(|conflict| path(session, conflict)).collect()
}

fn path(session: &gix::Repository, conflict: &Conflict) -> ConflictPath {
    let entries = conflict.entries().map(|entry| entry.filter(|entry| entry.mode.is_no_tree()));
    let [base, ours, theirs] = entries.map(|entry| entry.map(|entry| side(entry.mode, entry.id)));
    let location = location(conflict);
    let kind = match kind(conflict) {
        ConflictKind::Content if [&ours, &theirs].into_iter().flatten().any(|side| is_binary(session, side)) => {
            ConflictKind::Binary
        }
        ConflictKind::Content if base.is_none() => ConflictKind::AddAdd,
        kind => kind,
    };
    ConflictPath { path: location.to_string(), kind, base, ours, theirs }
}

/// Where the file is in the result: at its new name if one side renamed it.
fn location(conflict: &Conflict) -> BString {
    let renamed = |change: &Change| matches!(change, Change::Rewrite { .. });
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
        ResolutionFailure::OursRenamedTheirsRenamedToSameLocation
        | ResolutionFailure::OursRenamedTheirsRenamedDifferently { .. } => ConflictKind::RenameRename,
        ResolutionFailure::OursDeletedTheirsRenamed => ConflictKind::RenameDelete,
        ResolutionFailure::OursModifiedTheirsDeleted => ConflictKind::ModifyDelete,
        ResolutionFailure::OursModifiedTheirsDirectoryThenOursRenamed { .. }
        | ResolutionFailure::OursDirectoryTheirsNonDirectoryTheirsRenamed { .. } => ConflictKind::FileDirectory,
        ResolutionFailure::OursModifiedTheirsRenamedTypeMismatch
        | ResolutionFailure::OursAddedTheirsAddedTypeMismatch { .. } => ConflictKind::DistinctTypes,
        ResolutionFailure::Unknown => ConflictKind::Other,
    }
}

fn is_binary(session: &gix::Repository, side: &Side) -> bool {
    let regular = [EntryKind::Blob, EntryKind::BlobExecutable].iter().any(|kind| *kind as u32 == side.mode);
    let content = ObjectId::from_hex(side.id.as_bytes()).ok().filter(|_| regular);
    let content = content.and_then(|id| session.find_object(id).ok());
    content.is_some_and(|object| object.data.iter().take(BINARY_PROBE).any(|byte| *byte == 0))
}

/// An entry as public data.
pub(super) fn side(mode: EntryMode, id: ObjectId) -> Side {
    Side { mode: mode.value().into(), id: id.to_string() }
}

/// What a tree has at a path, if it is no directory.
pub(super) fn side_at(session: &gix::Repository, tree: ObjectId, path: &BString) -> Result<Option<Side>> {
    let tree = session.find_tree(tree).map_err(failed("read a tree"))?;
    let entry = tree.lookup_entry(path.split(|b| *b == b'/')).map_err(failed("look up a path"))?;
    Ok(entry.filter(|entry| entry.mode().is_no_tree()).map(|entry| side(entry.mode(), entry.object_id())))
}

/// In the order of paths, each path and kind once.
pub(super) fn sort(paths: &mut Vec<ConflictPath>) {
    paths.sort_by(|a, b| a.path.as_bytes().as_bstr().cmp(b.path.as_bytes().as_bstr()));
    paths.dedup_by(|later, first| later.path == first.path && later.kind == first.kind);
}
