//! One change on top of a tree: a three-way merge from a base that the caller names.

use gix::ObjectId;

use crate::commit;
use crate::engine::{Merged, Rules, merge_by};
use crate::{ConflictPaths, Engine, Result, graph};

pub(super) enum Picked {
    /// The tree, in the session's object memory, and who merged.
    Clean(ObjectId, Engine),
    Conflict(ConflictPaths),
}

/// Does to `ours` what was done from `base` to `theirs`, all of them trees.
pub(super) fn pick(
    session: &gix::Repository,
    rules: Rules<'_>,
    base: ObjectId,
    (ours, theirs): (ObjectId, ObjectId),
) -> Result<Picked> {
    // The engine merges commits, so they get some that say so, and that exist in memory only.
    let base = commit::scratch(session, base, &[])?;
    let (one, other) = (commit::scratch(session, ours, &[base])?, commit::scratch(session, theirs, &[base])?);
    let (merged, engine) = merge_by(session, rules, one, other)?;
    Ok(match merged {
        // Both did the same.
        Merged::Contained => Picked::Clean(ours, engine),
        Merged::Clean { tree, .. } => Picked::Clean(tree, engine),
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
