//! Looking at one change, and at two of them together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use gix::ObjectId;

use super::parallel;
use crate::commit;
use crate::engine::{Merged, footprint, merge};
use crate::queue::graph::Graph;
use crate::queue::{ChangeId, Footprint, Relation, Seq};
use crate::{CommitId, Conflict, Repository, Result, graph};

/// What is known of a change by itself.
#[derive(Clone, Debug)]
pub(super) struct Surveyed {
    /// Where it left the target; none when they have several such commits, or none.
    pub(super) base: Option<ObjectId>,
    pub(super) footprint: Footprint,
    pub(super) place: Place,
}

/// How a change stands to the target.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Free,
    Blocked(Conflict),
    Contained,
}

/// What the target did since commits that changes were made on.
type Drift = Mutex<BTreeMap<ObjectId, Arc<Graph>>>;

/// The target in a graph of its own changes.
const TARGET: Seq = Seq(0);

pub(super) fn all(repository: &Repository, target: &CommitId, tips: &[(ChangeId, CommitId)]) -> Result<Vec<Surveyed>> {
    let drift = Drift::default();
    parallel::map(tips, |(_, tip)| {
        repository.in_memory(|session| {
            let (target, tip) = (graph::commit(session, target)?, graph::commit(session, tip)?);
            one(session, target, tip, &drift)
        })
    })
}

fn one(session: &gix::Repository, target: ObjectId, tip: ObjectId, drift: &Drift) -> Result<Surveyed> {
    let bases = graph::merge_bases(session, target, tip)?;
    let from = *bases.first().unwrap_or(&target);
    let footprint = footprint(session, graph::tree_of(session, from)?, graph::tree_of(session, tip)?)?;
    let base = Some(from).filter(|_| bases.len() == 1);
    let apart = match base {
        Some(base) if base == target => true,
        Some(base) => {
            let moved = since(session, base, target, drift)?;
            moved.related_to(&footprint).values().all(|relation| *relation == Relation::Path)
        }
        None => false,
    };
    let place = match base {
        Some(base) if base == tip => Place::Contained,
        _ if apart => Place::Free,
        _ => match merge(session, target, tip)? {
            Merged::Contained => Place::Contained,
            Merged::Conflict(conflict) => Place::Blocked(conflict),
            Merged::Clean { .. } => Place::Free,
        },
    };
    Ok(Surveyed { base, footprint, place })
}

fn since(session: &gix::Repository, base: ObjectId, target: ObjectId, drift: &Drift) -> Result<Arc<Graph>> {
    let known = || drift.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known().get(&base) {
        return Ok(found.clone());
    }
    let footprint = footprint(session, graph::tree_of(session, base)?, graph::tree_of(session, target)?)?;
    let mut moved = Graph::default();
    moved.insert(TARGET, &footprint, &[]);
    Ok(known().entry(base).or_insert(Arc::new(moved)).clone())
}

/// What landing `other` after `one` comes to, if it conflicts.
pub(super) fn pair(
    repository: &Repository,
    target: &CommitId,
    (one, surveyed): (&CommitId, &Surveyed),
    (other, _): (&CommitId, &Surveyed),
) -> Result<Option<Conflict>> {
    repository.in_memory(|session| {
        let target = graph::commit(session, target)?;
        let (one, other) = (graph::commit(session, one)?, graph::commit(session, other)?);
        let landed = match surveyed.base {
            Some(base) if base == target => one,
            _ => match merge(session, target, one)? {
                Merged::Clean { tree, .. } => commit::scratch(session, tree, &[target, one])?,
                // Told of the change itself.
                Merged::Contained | Merged::Conflict(_) => return Ok(None),
            },
        };
        match merge(session, landed, other)? {
            Merged::Conflict(conflict) => Ok(Some(conflict)),
            Merged::Contained | Merged::Clean { .. } => Ok(None),
        }
    })
}
