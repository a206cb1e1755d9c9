//! A merge commit for every change.

use super::{Offer, keep_both, offer, sides};
use crate::commit::draft;
use crate::engine::{Merged, merge_by};
use crate::{Change, Made, MergeStrategy, Prepared, Repository, Result, Target};

/// Joins the change to the target with a merge commit, also where a fast-forward would do.
///
/// The first parent is the target's expected commit, the second the tip of the change. The tree is the three-way merge
/// that git's default strategy makes, with its default settings; merge drivers, filters and conversions are not run,
/// and attributes are read from the target's tree alone, never from a checkout, so the result depends on nothing but
/// the two commits. Author and committer are the change's committer, the time is the later of the two parents' in UTC:
/// the same input gives the same id.
///
/// When [`prepare`](MergeStrategy::prepare) returns a candidate, the objects that it made were flushed to the disk. A
/// conflict leaves no object behind.
///
/// Where git would report that it guessed a directory's new name, this reports a conflict
/// ([`ConflictKind::DirectoryRename`](crate::ConflictKind::DirectoryRename)), as git does by default. Besides an unreadable object, it is an
/// error ([`Error::Object`](crate::Error::Object)) when the change adds a path that no checkout may hold, such as
/// `.git`, and ([`Error::InvalidName`](crate::Error::InvalidName)) when a trailer key or the committer cannot be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MergeCommit;

impl MergeStrategy for MergeCommit {
    fn prepare(&self, repository: &Repository, target: &Target, change: &Change) -> Result<Prepared> {
        repository.in_memory(|session| {
            let (ours, theirs) = sides(session, target, change)?;
            let (merged, engine) = merge_by(session, repository.rules(), ours, theirs)?;
            let tree = match merged {
                Merged::Contained => return Ok(Prepared::AlreadyMerged),
                Merged::Conflict(conflict) => return Ok(Prepared::Conflict(conflict)),
                Merged::Clean { tree, bases } => {
                    keep_both(session, &bases, (ours, theirs), tree)?;
                    tree
                }
            };
            let commit = draft(session, tree, &[ours, theirs], repository.by(change))?;
            offer(session, commit, target, change, Offer { verb: "merge", made: Made::Merge, engine })
        })
    }
}
