//! A change that lost, as merged.

use serde::{Deserialize, Serialize};

use super::{offer_one_side, sides};
use crate::commit::draft;
use crate::{Change, MergeStrategy, Prepared, Repository, Result, Target, graph};

/// Joins the change to the target's history and takes nothing of it: the tree is the target's.
///
/// For variants that were not chosen. What is dropped is listed in [`Candidate::dropped`](crate::Candidate::dropped). Their commits stay reachable, and merging them again has nothing to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ours;

impl MergeStrategy for Ours {
    fn prepare(&self, repository: &Repository, target: &Target, change: &Change) -> Result<Prepared> {
        repository.in_memory(|session| {
            let (ours, theirs) = sides(session, target, change)?;
            if graph::contains(session, ours, theirs)? {
                return Ok(Prepared::AlreadyMerged);
            }
            let tree = graph::tree_of(session, ours)?;
            let commit = draft(session, tree, &[ours, theirs], repository.by(change))?;
            offer_one_side(session, commit, target, change, "archive")
        })
    }
}
