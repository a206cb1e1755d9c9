//! One change on top of a tree: a three-way merge from a base that the caller names.

use gix::ObjectId;

use crate::commit;
use crate::engine::{Merged, merge};
use crate::{ConflictPaths, Result, graph};

pub(super) enum Picked {
    /// The tree, in the session's object memory.
    Clean(ObjectId),
    Conflict(ConflictPaths),
}

/// Does to `ours` what was done from `base` to `theirs`, all of them trees.
pub(super) fn pick(session: &gix::Repository, base: ObjectId, ours: ObjectId, theirs: ObjectId) -> Result<Picked> {
    // The engine merges commits, so they get some that say so, and that exist in memory only.
    let base = commit::scratch(session, base, &[])?;
    let (one, other) = (commit::scratch(session, ours, &[base])?, commit::scratch(session, theirs, &[base])?);
    Ok(match merge(session, one, other)? {
        // Both did the same.
        Merged::Contained => Picked::Clean(ours),
        Merged::Clean { tree, .. } => Picked::Clean(tree),
        Merged::Conflict(conflict) => Picked::Conflict(conflict.paths),
    })
}

/// The tree of the first parent, or the empty one.
pub(super) fn base_tree(session: &gix::Repository, parent: Option<ObjectId>) -> Result<ObjectId> {
    match parent {
        Some(parent) => graph::tree_of(session, parent),
        None => graph::empty_tree(session),
    }
}
