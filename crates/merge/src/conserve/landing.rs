//! The check of a landing: that a commit has the shape that it is said to have, and what of both sides it lacks.

use std::collections::BTreeSet;

use gix::ObjectId;
use serde::{Deserialize, Serialize};

use super::{Merge, losses};
use crate::engine::{Merged, Rules, merge_by};
use crate::{CommitId, Error, Fallback, Loss, Made, Result, Step, commit, graph, patch};

/// A commit that was, or is about to be, put on a target.
pub(crate) struct Landed<'a> {
    /// Where the target was.
    pub(crate) expected: ObjectId,
    /// Where it goes.
    pub(crate) commit: ObjectId,
    /// The tip of the change.
    pub(crate) change: ObjectId,
    pub(crate) made: &'a Made,
    /// Who makes merges again that have to be made again to look at it, and cost too much.
    pub(crate) fallback: Option<&'a Fallback>,
}

/// A merge that somebody made in a change, and what it lacks of its two parents.
///
/// That is how an agent resolves a conflict, and also how one throws the work of others away.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MergeInside {
    /// The merge.
    pub commit: CommitId,
    /// What it lacks. The target's is what its first parent did.
    pub losses: Vec<Loss>,
}

/// What a look at a landing found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// Everything was looked at; this is missing.
    All(Vec<Loss>),
    /// Nobody said how the commit was made, and it is no merge of the two sides.
    Nothing,
}

/// What of the target and of the change is not in a landing, also of what is dropped on purpose.
///
/// A commit that has not the shape that it is said to have is an error.
pub(crate) fn check(session: &gix::Repository, landed: &Landed<'_>) -> Result<Checked> {
    let Landed { expected, commit, change, made, fallback } = *landed;
    let parents = graph::parents(session, commit)?;
    if *made != Made::Forward && graph::contains(session, expected, change)? {
        let problem = "the target has it already, so nothing can bring it in; give the tip of a change that it has not";
        return Err(graph::unusable(change, problem));
    }
    let pair = parents == [expected, change];
    let several = parents.len() > 2 && parents[0] == expected && parents[1..].contains(&change);
    let wrong = |what: &str| Err(graph::unusable(commit, format!("it is said to be {what}, and is not")));
    match made {
        Made::Undeclared if pair => of_pair(session, landed).map(Checked::All),
        Made::Undeclared => Ok(Checked::Nothing),
        Made::Forward if commit == change => Ok(Checked::All(Vec::new())),
        Made::Forward => wrong("the tip of the change"),
        Made::Merge if pair => of_pair(session, landed).map(Checked::All),
        Made::Merge if several => {
            of_several(session, commit, &parents, Rules { fallback, ..Rules::default() }).map(Checked::All)
        }
        Made::Merge => wrong("a merge of the target and the change"),
        Made::Squash if parents == [expected] => of_pair(session, landed).map(Checked::All),
        Made::Squash => wrong("one commit on the target"),
        Made::Replay { steps } => of_series(session, landed, steps).map(Checked::All),
    }
}

/// The commit has the tree of a merge of the target and the change.
fn of_pair(session: &gix::Repository, landed: &Landed<'_>) -> Result<Vec<Loss>> {
    let result = graph::tree_of(session, landed.commit)?;
    of_trees(session, landed.expected, landed.change, result)
}

/// What of two commits is not in a tree.
pub(crate) fn of_trees(
    session: &gix::Repository,
    ours: ObjectId,
    theirs: ObjectId,
    result: ObjectId,
) -> Result<Vec<Loss>> {
    let mut bases = Vec::new();
    for base in graph::merge_bases(session, ours, theirs)? {
        bases.push(graph::tree_of(session, base)?);
    }
    if bases.is_empty() {
        bases.push(graph::empty_tree(session)?);
    }
    let (ours, theirs) = (graph::tree_of(session, ours)?, graph::tree_of(session, theirs)?);
    losses(session, &Merge { bases: &bases, ours, theirs, result })
}

/// Merges the tips one after the other again: what lies between them is in no commit that is left.
fn of_several(
    session: &gix::Repository,
    commit: ObjectId,
    parents: &[ObjectId],
    rules: Rules<'_>,
) -> Result<Vec<Loss>> {
    let [first, tips @ ..] = parents else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    let mut at = *first;
    let last = tips.len().saturating_sub(1);
    for (number, tip) in tips.iter().enumerate() {
        if number == last {
            // Whatever was made of the last step has to have all of it.
            found.extend(of_trees(session, at, *tip, graph::tree_of(session, commit)?)?);
            break;
        }
        match merge_by(session, rules, at, *tip)?.0 {
            Merged::Contained => {}
            Merged::Clean { tree, .. } => {
                found.extend(of_trees(session, at, *tip, tree)?);
                at = commit::scratch(session, tree, &[at, *tip])?;
            }
            Merged::Conflict(_) => {
                return Err(graph::unusable(commit, format!("its parent {tip} does not merge with those before it")));
            }
        }
    }
    Ok(found)
}

/// Each commit, from where the series was to where it is.
fn of_series(session: &gix::Repository, landed: &Landed<'_>, steps: &[Step]) -> Result<Vec<Loss>> {
    let mut own: BTreeSet<ObjectId> = own_commits(session, landed)?.into_iter().map(|(id, _)| id).collect();
    let mut found = Vec::new();
    let mut before = landed.expected;
    for Step { from, at, same_as } in steps {
        let (from, at) = (graph::commit(session, from)?, graph::commit(session, at)?);
        if !own.remove(&from) || from == at {
            let problem = "it is said to be a commit of the change that was done again once, and is not";
            return Err(graph::unusable(from, problem));
        }
        if let Some(same) = same_as {
            let same = graph::commit(session, same)?;
            // The target has it, and what became of it there is for nobody else to say.
            let targets =
                graph::contains(session, landed.expected, same)? && !graph::contains(session, landed.change, same)?;
            if at != before || !targets || !patch::same(session, from, same)? {
                let problem = format!("it is said to be in the target as {same}, and is not");
                return Err(graph::unusable(from, problem));
            }
            continue;
        }
        if at != before && graph::parents(session, at)? != [before] {
            let problem = format!("it is said to follow {before} in a series, and does not");
            return Err(graph::unusable(at, problem));
        }
        let base = match graph::parents(session, from)?.first() {
            Some(parent) => graph::tree_of(session, *parent)?,
            None => graph::empty_tree(session)?,
        };
        let [ours, theirs, result] = [before, from, at].map(|commit| graph::tree_of(session, commit));
        found.extend(losses(session, &Merge { bases: &[base], ours: ours?, theirs: theirs?, result: result? })?);
        before = at;
    }
    if before != landed.commit {
        return Err(graph::unusable(landed.commit, format!("the series that it is said to end ends at {before}")));
    }
    Ok(found)
}

/// The commits of the change that are not in a landing: neither they nor what they did was taken.
///
/// Merges are not done again in a series; those in which more was done than merging are among them.
pub(crate) fn left_out(session: &gix::Repository, landed: &Landed<'_>) -> Result<Vec<CommitId>> {
    let Made::Replay { steps } = landed.made else { return Ok(Vec::new()) };
    let taken: BTreeSet<&str> = steps.iter().map(|step| step.from.as_str()).collect();
    let mut left = Vec::new();
    for (id, parents) in own_commits(session, landed)? {
        let does_something = match parents {
            0 | 1 => true,
            _ => is_more_than_a_merge(session, landed, id)?,
        };
        if does_something && !taken.contains(id.to_string().as_str()) {
            left.push(graph::public(id)?);
        }
    }
    left.sort();
    Ok(left)
}

/// What merges of two commits in the change lack of their parents: an agent may have merged the target and thrown its work away.
///
/// The merge base of such a change is beyond that, so no look at the landing alone finds it.
pub(crate) fn inside(session: &gix::Repository, landed: &Landed<'_>) -> Result<Vec<MergeInside>> {
    let mut found = Vec::new();
    for (id, parents) in own_commits(session, landed)? {
        if parents != 2 || (id == landed.commit && *landed.made != Made::Forward) {
            continue;
        }
        if let [ours, theirs] = graph::parents(session, id)?[..] {
            let losses = of_trees(session, ours, theirs, graph::tree_of(session, id)?)?;
            if !losses.is_empty() {
                found.push(MergeInside { commit: graph::public(id)?, losses });
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The commits that the change has and the target has not, with how many parents they have.
fn own_commits(session: &gix::Repository, landed: &Landed<'_>) -> Result<Vec<(ObjectId, usize)>> {
    let walk = session.rev_walk([landed.change]).with_hidden([landed.expected]).all();
    let walk = walk.map_err(Error::git(format!("walk back from {}", landed.change)))?;
    let own = walk.map(|info| info.map(|info| (info.id, info.parent_ids.len())));
    own.collect::<std::result::Result<_, _>>().map_err(Error::git("read the commits of the change"))
}

/// Whether a merge has another tree than merging its parents gives.
fn is_more_than_a_merge(session: &gix::Repository, landed: &Landed<'_>, id: ObjectId) -> Result<bool> {
    let [ours, theirs] = graph::parents(session, id)?[..] else { return Ok(true) };
    let rules = Rules { fallback: landed.fallback, ..Rules::default() };
    Ok(match merge_by(session, rules, ours, theirs)?.0 {
        Merged::Clean { tree, .. } => tree != graph::tree_of(session, id)?,
        Merged::Contained | Merged::Conflict(_) => true,
    })
}
