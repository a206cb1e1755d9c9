//! The strategies that come with this crate.

mod cherry_pick;
mod fast_forward;
mod merge_commit;
mod octopus;
mod ours;
mod pick;
mod promote;
mod rebase;
mod series;
mod squash;

pub use cherry_pick::CherryPick;
pub use fast_forward::{Diverged, FastForward};
pub use merge_commit::MergeCommit;
pub use octopus::Octopus;
pub use ours::Ours;
pub use promote::Promote;
pub use rebase::{Merges, Rebase};
pub use series::Empties;
pub use squash::Squash;

use gix::ObjectId;

use crate::commit::{one_line, persist};
use crate::conserve::{self, Merge};
use crate::{Candidate, Change, Engine, Error, Made, Prepared, Result, Target, graph};

/// The target's expected commit and the tip of the change, both of which must exist.
fn sides(session: &gix::Repository, target: &Target, change: &Change) -> Result<(ObjectId, ObjectId)> {
    Ok((graph::commit(session, &target.expected)?, graph::commit(session, &change.tip)?))
}

/// Refuses a result that has not what both sides did, all of them trees.
fn keep(
    session: &gix::Repository,
    bases: &[ObjectId],
    (ours, theirs): (ObjectId, ObjectId),
    result: ObjectId,
) -> Result<()> {
    let losses = conserve::losses(session, &Merge { bases, ours, theirs, result })?;
    if losses.is_empty() { Ok(()) } else { Err(Error::NotConserved { losses }) }
}

/// [`keep`] for commits and the tree that their merge made.
fn keep_both(
    session: &gix::Repository,
    bases: &[ObjectId],
    (ours, theirs): (ObjectId, ObjectId),
    result: ObjectId,
) -> Result<()> {
    let bases = bases.iter().map(|base| graph::tree_of(session, *base)).collect::<Result<Vec<_>>>()?;
    keep(session, &bases, (graph::tree_of(session, ours)?, graph::tree_of(session, theirs)?), result)
}

/// What is said of a candidate beside its commit.
struct Offer<'a> {
    /// What was done, for the reflog.
    verb: &'a str,
    made: Made,
    engine: Engine,
}

/// Brings a commit that was made in memory to the disk and offers it.
fn offer(
    session: &mut gix::Repository,
    commit: ObjectId,
    target: &Target,
    change: &Change,
    Offer { verb, made, engine }: Offer<'_>,
) -> Result<Prepared> {
    persist::persist(session, commit)?;
    Ok(Prepared::Candidate(Candidate {
        commit: graph::public(commit)?,
        target: target.clone(),
        change: change.tip.clone(),
        reflog: one_line(&format!("{verb}: {}", change.subject)),
        made,
        engine,
        dropped: Vec::new(),
    }))
}

/// Offers a commit that takes one side alone, with what of the other one is not in it.
fn offer_one_side(
    session: &mut gix::Repository,
    commit: ObjectId,
    target: &Target,
    change: &Change,
    verb: &str,
) -> Result<Prepared> {
    let (ours, theirs) = sides(session, target, change)?;
    let dropped = conserve::of_trees(session, ours, theirs, graph::tree_of(session, commit)?)?;
    let offered = offer(session, commit, target, change, Offer { verb, made: Made::Merge, engine: Engine::Own })?;
    Ok(match offered {
        Prepared::Candidate(candidate) => Prepared::Candidate(Candidate { dropped, ..candidate }),
        other => other,
    })
}
