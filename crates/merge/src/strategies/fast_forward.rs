//! The tip of the change itself, where that is possible.

use serde::{Deserialize, Serialize};

use super::{Offer, offer, sides};
use crate::engine::{Merged, merge};
use crate::{Change, Engine, Made, MergeCommit, MergeStrategy, Prepared, Refusal, Repository, Result, Target, graph};

/// Moves the target to the tip of the change, if the tip descends from it; no commit is made then, and the change's subject
/// and trailers are not used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FastForward {
    /// What to do otherwise.
    pub diverged: Diverged,
}

/// What to do when the target has commits that the change has not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Diverged {
    /// Make nothing ([`Refusal::Diverged`]).
    #[default]
    Refuse,
    /// Make a merge commit, as [`MergeCommit`] does.
    Merge,
}

impl MergeStrategy for FastForward {
    fn prepare(&self, repository: &Repository, target: &Target, change: &Change) -> Result<Prepared> {
        let forward = repository.in_memory(|session| {
            let (ours, theirs) = sides(session, target, change)?;
            if graph::contains(session, ours, theirs)? {
                return Ok(Some(Prepared::AlreadyMerged));
            }
            if !graph::contains(session, theirs, ours)? {
                return Ok(None);
            }
            // The merge has the tree of the change; what must not enter a tree is found on the way.
            match merge(session, ours, theirs)? {
                Merged::Contained => Ok(Some(Prepared::AlreadyMerged)),
                Merged::Conflict(conflict) => Ok(Some(Prepared::Conflict(conflict))),
                Merged::Clean { .. } => {
                    let offered = Offer { verb: "fast-forward", made: Made::Forward, engine: Engine::Own };
                    offer(session, theirs, target, change, offered).map(Some)
                }
            }
        })?;
        match (forward, self.diverged) {
            (Some(prepared), _) => Ok(prepared),
            (None, Diverged::Refuse) => Ok(Prepared::Refused(Refusal::Diverged)),
            (None, Diverged::Merge) => MergeCommit.prepare(repository, target, change),
        }
    }
}
