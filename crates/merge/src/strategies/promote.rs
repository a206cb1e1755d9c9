//! A tree as it is.

use serde::{Deserialize, Serialize};

use super::pick::{Picked, pick};
use super::{offer_one_side, sides};
use crate::commit::draft;
use crate::engine::Rules;
use crate::{Change, MergeStrategy, Prepared, Repository, Result, Target, graph};

/// Gives the target the tree of the change's tip, exactly as it is, with a merge commit.
///
/// For a tree that was tested as a whole. What the target has and the change has not is not in the result, and
/// is listed in [`Candidate::dropped`](crate::Candidate::dropped).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promote;

impl MergeStrategy for Promote {
    fn prepare(&self, repository: &Repository, target: &Target, change: &Change) -> Result<Prepared> {
        repository.in_memory(|session| {
            let (ours, theirs) = sides(session, target, change)?;
            if graph::contains(session, ours, theirs)? {
                return Ok(Prepared::AlreadyMerged);
            }
            let (from, to) = (graph::tree_of(session, ours)?, graph::tree_of(session, theirs)?);
            // From the target's own tree there is nothing to merge, and what must not enter a tree is found.
            let tree = match pick(session, Rules::default(), from, (from, to))? {
                Picked::Clean(tree, _) => tree,
                Picked::Conflict(_) => return Err(graph::unusable(theirs, "its tree cannot be taken as it is")),
            };
            let commit = draft(session, tree, &[ours, theirs], repository.by(change))?;
            offer_one_side(session, commit, target, change, "promote")
        })
    }
}
