//! The three-way merge of two commits, with git's semantics, in memory.
//!
//! A merge reads what differs (`walk`), finds new names of files as far as they matter (`renames`), brings the versions
//! of each file together (`moves`), merges each path (`entries`, `content`) and writes the trees that changed (`write`).
//! What the base is when histories crossed says `fold`; attributes are the target's (`attributes`), no option comes from
//! a configuration, and what may enter a tree says `paths`. What costs too much is left to git (`git`).

use std::collections::BTreeSet;

use gix::ObjectId;
use gix::bstr::BString;

use crate::conflict::{Found, assemble};
use crate::fallback::Fallback;
use crate::{Conflict, ConflictKind, Engine, Error, Names, Result, graph};

mod attributes;
mod changes;
mod collisions;
mod content;
mod entries;
mod fold;
mod footprint;
mod git;
mod halt;
mod lines;
mod moves;
mod node;
mod paths;
mod renames;
mod report;
mod similarity;
mod text_rules;
mod tree;
mod trees;
mod walk;
mod write;

use content::Contents;
use fold::Fold;
pub(crate) use footprint::footprint;
use halt::{Budget, Halt};

pub(crate) use lines::hunks;
pub(crate) use lines::merge as merge_lines;
pub(crate) use paths::{check as check_paths, check_size};
pub(crate) use text_rules::{Driver, text_rules};
pub(crate) use tree::{depth, join};

/// What came of merging two commits.
pub(crate) enum Merged {
    /// Ours contains theirs.
    Contained,
    /// A tree, in the session's object memory.
    Clean { tree: ObjectId, bases: Vec<ObjectId> },
    /// A decision is needed.
    Conflict(Conflict),
}

/// What merges of one repository are made by.
#[derive(Clone, Copy, Default)]
pub(crate) struct Rules<'a> {
    /// Who merges what costs too much here.
    pub(crate) fallback: Option<&'a Fallback>,
    /// Which names may be beside each other.
    pub(crate) names: Names,
}

/// Merges `theirs` into `ours`, as git does. The session must keep objects in memory.
pub(crate) fn merge(session: &gix::Repository, ours: ObjectId, theirs: ObjectId) -> Result<Merged> {
    Ok(merge_by(session, Rules::default(), ours, theirs)?.0)
}

/// Merges with git, whatever it costs.
pub(crate) fn merge_with_git(
    session: &gix::Repository,
    fallback: &Fallback,
    ours: ObjectId,
    theirs: ObjectId,
) -> Result<Merged> {
    git::merge(session, fallback, ours, theirs)
}

/// Merges by rules of the caller's; says who merged.
pub(crate) fn merge_by(
    session: &gix::Repository,
    rules: Rules<'_>,
    ours: ObjectId,
    theirs: ObjectId,
) -> Result<(Merged, Engine)> {
    let (merged, engine) = merge_or(session, rules.fallback, ours, theirs)?;
    if let (Merged::Clean { tree, bases }, Names::Portable) = (&merged, rules.names) {
        let (our_tree, their_tree) = (graph::tree_of(session, ours)?, graph::tree_of(session, theirs)?);
        let found = collisions::find(session, our_tree, their_tree, *tree)?;
        if !found.is_empty() {
            let conflict = assemble::conflict(session, ours, theirs, bases, found)?;
            return Ok((Merged::Conflict(conflict), engine));
        }
    }
    Ok((merged, engine))
}

/// Merges here, or with git if that costs too much and there is a fallback.
fn merge_or(
    session: &gix::Repository,
    fallback: Option<&Fallback>,
    ours: ObjectId,
    theirs: ObjectId,
) -> Result<(Merged, Engine)> {
    let cost = Fallback::cost(fallback);
    let bases = graph::merge_bases(session, ours, theirs)?;
    if bases.contains(&theirs) {
        return Ok((Merged::Contained, Engine::Own));
    }
    let found = match bases.as_slice() {
        [] if session.is_shallow().map_err(failed("tell whether the clone is shallow"))? => {
            let problem = "the clone is shallow and its history ends before a merge base; fetch more of it";
            return Err(graph::unusable(theirs, problem));
        }
        [] => vec![Found::whole(ConflictKind::Unrelated)],
        several => match (merge_from(session, cost, several, ours, theirs), fallback) {
            (Ok(Ok(tree)), _) => return Ok((Merged::Clean { tree, bases }, Engine::Own)),
            (Ok(Err(found)), _) => found,
            (Err(Halt::Error(error)), _) => return Err(error),
            (Err(Halt::Crossed | Halt::Costly), Some(fallback)) => {
                return Ok((git::merge(session, fallback, ours, theirs)?, Engine::Git));
            }
            (Err(Halt::Crossed), None) => vec![Found::whole(ConflictKind::Endless)],
            (Err(Halt::Costly), None) => vec![Found::whole(ConflictKind::TooCostly)],
        },
    };
    Ok((Merged::Conflict(assemble::conflict(session, ours, theirs, &bases, found)?), Engine::Own))
}

/// The tree, or the paths that conflict (never none).
type Outcome = std::result::Result<ObjectId, Vec<Found>>;

fn merge_from(
    session: &gix::Repository,
    cost: u64,
    bases: &[ObjectId],
    ours: ObjectId,
    theirs: ObjectId,
) -> std::result::Result<Outcome, Halt> {
    let (our_tree, their_tree) = (graph::tree_of(session, ours)?, graph::tree_of(session, theirs)?);
    let budget = Budget::new(cost);
    let mut contents = Contents::new(session, &budget, our_tree);
    let base = Fold::new(&mut contents).base(bases)?;
    paths::check(session, base, their_tree)?;
    let merged = trees::merge(&mut contents, [base, our_tree, their_tree])?;
    Ok(match merged.tree {
        Some(tree) => Ok(tree),
        None => Err(merged.report.into_found()),
    })
}

fn failed<E>(what: &str) -> impl FnOnce(E) -> Error
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    Error::git(format!("merge: {what}"))
}

/// The files that are not the same in two trees.
pub(crate) fn changed_files(session: &gix::Repository, old: ObjectId, new: ObjectId) -> Result<BTreeSet<BString>> {
    let mut changed = BTreeSet::new();
    for (from, to) in [(old, new), (new, old)] {
        tree::brought(session, Some(from), to, Default::default(), &mut |path, _, now| {
            if !now.is_tree() {
                changed.insert(path.to_owned());
            }
            Ok(())
        })?;
    }
    Ok(changed)
}

/// The files that `new` has and `old` has not.
pub(crate) fn added_files(session: &gix::Repository, old: ObjectId, new: ObjectId) -> Result<Vec<BString>> {
    let mut added = Vec::new();
    tree::brought(session, Some(old), new, Default::default(), &mut |path, before, now| {
        if before.is_none() && !now.is_tree() {
            added.push(path.to_owned());
        }
        Ok(())
    })?;
    Ok(added)
}
