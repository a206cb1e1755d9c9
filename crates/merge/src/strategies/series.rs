//! A series of commits, replayed one after the other.

use std::collections::{BTreeMap, BTreeSet};

use gix::ObjectId;
use gix::bstr::ByteSlice;
use serde::{Deserialize, Serialize};

use super::pick::{Picked, base_tree, pick};
use super::{Offer, keep, offer};
use crate::commit::{By, Copied, copy, lines_of, persist, trailers};
use crate::engine::Rules;
use crate::{Conflict, Engine, Error, Made, Prepared, Result, Step, Target, graph};

/// What to do with commits that change nothing where they are replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Empties {
    /// Leave them out.
    #[default]
    Drop,
    /// Keep their messages.
    Keep,
}

/// Commits behind `tip` and not behind `onto`, parents before children.
pub(super) fn between(session: &gix::Repository, tip: ObjectId, onto: ObjectId) -> Result<Vec<ObjectId>> {
    let walk = session.rev_walk([tip]).with_hidden([onto]).all();
    let ids = walk.map_err(Error::git(format!("walk back from {tip}")))?.map(|info| info.map(|info| info.id));
    let new: BTreeSet<ObjectId> = ids.collect::<std::result::Result<_, _>>().map_err(Error::git("read the series"))?;
    let (mut ordered, mut seen, mut pending) = (Vec::new(), BTreeSet::new(), vec![(tip, None)]);
    while let Some((id, parents)) = pending.pop() {
        match parents {
            Some(()) => ordered.push(id),
            None if new.contains(&id) && seen.insert(id) => {
                pending.push((id, Some(())));
                // The first parent's commits come first.
                pending.extend(graph::parents(session, id)?.into_iter().rev().map(|parent| (parent, None)));
            }
            None => {}
        }
    }
    Ok(ordered)
}

/// Replays commits on the target, but for those that are applied there under another id, and offers the last one.
pub(super) fn replay(
    session: &mut gix::Repository,
    (target, onto): (&Target, ObjectId),
    (by, rules): (By<'_>, Rules<'_>),
    commits: &[ObjectId],
    applied: &BTreeMap<ObjectId, ObjectId>,
    (empties, verb): (Empties, &str),
) -> Result<Prepared> {
    let (mut at, mut engine) = (onto, Engine::Own);
    let mut steps = Vec::new();
    for commit in commits.iter().copied() {
        if let Some(same) = applied.get(&commit) {
            let same_as = Some(graph::public(*same)?);
            steps.push(Step { from: graph::public(commit)?, at: graph::public(at)?, same_as });
            continue;
        }
        let parent = graph::parents(session, commit)?.first().copied();
        let (ours, theirs) = (graph::tree_of(session, at)?, graph::tree_of(session, commit)?);
        let base = base_tree(session, parent)?;
        let picked = pick(session, rules, base, (ours, theirs))?;
        if let Picked::Clean(tree, by) = &picked {
            if *by != Engine::Own {
                engine = *by;
            }
            keep(session, &[base], (ours, theirs), *tree)?;
        }
        match picked {
            Picked::Clean(tree, _) if tree == ours && empties == Empties::Drop => {}
            Picked::Clean(tree, _) => at = copy_of(session, commit, tree, at, by)?,
            Picked::Conflict(paths) => {
                // What was replayed so far is one of the sides, so it must be there for whoever decides.
                persist::persist(session, at)?;
                let bases = parent.into_iter().map(graph::public).collect::<Result<_>>()?;
                let (ours, theirs) = (graph::public(at)?, graph::public(commit)?);
                return Ok(Prepared::Conflict(Conflict { ours, theirs, bases, paths }));
            }
        }
        steps.push(Step { from: graph::public(commit)?, at: graph::public(at)?, same_as: None });
    }
    if at == onto {
        return Ok(Prepared::Empty);
    }
    offer(session, at, target, by.change, Offer { verb, made: Made::Replay { steps }, engine })
}

fn copy_of(
    session: &gix::Repository,
    commit: ObjectId,
    tree: ObjectId,
    parent: ObjectId,
    by: By<'_>,
) -> Result<ObjectId> {
    let found = session.find_commit(commit).map_err(Error::git(format!("read commit {commit}")))?;
    let damaged = || graph::unusable(commit, "it is a damaged commit");
    let decoded = found.decode().map_err(|_| damaged())?;
    let author = decoded.author().map_err(|_| damaged())?.to_owned().map_err(|_| damaged())?;
    let copied = Copied {
        tree,
        parent,
        author,
        message: trailers::append(decoded.message, &lines_of(by.change)?),
        encoding: decoded.encoding.map(|encoding| encoding.as_bstr().to_owned()),
        after: commit,
    };
    copy(session, copied, by)
}
