//! Several changes in one merge commit.

use gix::ObjectId;
use serde::{Deserialize, Serialize};

use super::{Offer, keep_both, offer, sides};
use crate::commit::{By, draft, persist};
use crate::engine::{Merged, merge_by};
use crate::{Change, CommitId, Engine, Made, MergeStrategy, Prepared, Repository, Result, Target, graph};

/// Joins the change and further tips to the target with one merge commit.
///
/// They are merged one after the other, each with git's default strategy. The parents are the target and the tips, without
/// those that the target or another tip contains. A conflict names the tip that did not fit
/// ([`Conflict::theirs`](crate::Conflict::theirs)) and the merge of those before it, which is left in the repository under
/// no ref.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Octopus {
    /// The tips beside the change's.
    pub with: Vec<CommitId>,
}

impl MergeStrategy for Octopus {
    fn prepare(&self, repository: &Repository, target: &Target, change: &Change) -> Result<Prepared> {
        repository.in_memory(|session| {
            let (onto, tip) = sides(session, target, change)?;
            let mut tips = vec![tip];
            for other in &self.with {
                tips.push(graph::commit(session, other)?);
            }
            let (mut at, mut engine) = (onto, Engine::Own);
            // What lies between lands nowhere.
            let unsigned = By { change, signer: None };
            for tip in independent(session, &tips)? {
                let (merged, by) = merge_by(session, repository.rules(), at, tip)?;
                if by != Engine::Own {
                    engine = by;
                }
                match merged {
                    Merged::Contained => {}
                    Merged::Clean { tree, bases } => {
                        keep_both(session, &bases, (at, tip), tree)?;
                        at = draft(session, tree, &[at, tip], unsigned)?;
                    }
                    Merged::Conflict(conflict) => {
                        persist::persist(session, at)?;
                        return Ok(Prepared::Conflict(conflict));
                    }
                }
            }
            if at == onto {
                return Ok(Prepared::AlreadyMerged);
            }
            let mut parents = vec![onto];
            for tip in independent(session, &tips)? {
                if !graph::contains(session, onto, tip)? {
                    parents.push(tip);
                }
            }
            let commit = draft(session, graph::tree_of(session, at)?, &parents, repository.by(change))?;
            offer(session, commit, target, change, Offer { verb: "merge", made: Made::Merge, engine })
        })
    }
}

/// The tips that no other one contains, each once.
fn independent(session: &gix::Repository, tips: &[ObjectId]) -> Result<Vec<ObjectId>> {
    let mut kept: Vec<ObjectId> = Vec::new();
    for (number, tip) in tips.iter().enumerate() {
        let mut needed = !kept.contains(tip);
        for (_, other) in tips.iter().enumerate().filter(|(at, other)| *at != number && *other != tip) {
            needed &= !graph::contains(session, *other, *tip)?;
        }
        if needed {
            kept.push(*tip);
        }
    }
    Ok(kept)
}
