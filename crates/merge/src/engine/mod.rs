//! The three-way merge of two commits, with git's semantics, in memory.
//!
//! gix merges trees; this module decides around it: which options (git's, none from a configuration), which attributes
//! (the target's), what the base is when histories crossed (`fold`), when renames can matter at all and when a
//! directory's rename is only a guess (`renames`), and what may enter a tree (`paths`).

use gix::ObjectId;

use crate::conflict::{Found, assemble};
use crate::{Conflict, ConflictKind, Error, Result, graph};

mod attributes;
mod changes;
mod fold;
mod footprint;
mod paths;
mod renames;
mod report;
mod text_rules;
mod trees;

use changes::Changes;
use fold::Fold;
pub(crate) use footprint::footprint;
use trees::Workbench;

pub(crate) use text_rules::{Driver, text_rules};

/// What came of merging two commits.
pub(crate) enum Merged {
    /// Ours contains theirs.
    Contained,
    /// A tree, in the session's object memory.
    Clean { tree: ObjectId, bases: Vec<ObjectId> },
    /// A decision is needed.
    Conflict(Conflict),
}

/// Merges `theirs` into `ours`. The session must keep objects in memory.
pub(crate) fn merge(session: &gix::Repository, ours: ObjectId, theirs: ObjectId) -> Result<Merged> {
    let bases = graph::merge_bases(session, ours, theirs)?;
    if bases.contains(&theirs) {
        return Ok(Merged::Contained);
    }
    let paths = match bases.as_slice() {
        [] if session.is_shallow().map_err(failed("tell whether the clone is shallow"))? => {
            let problem = "the clone is shallow and its history ends before a merge base; fetch more of it";
            return Err(graph::unusable(theirs, problem));
        }
        [] => vec![Found::whole(ConflictKind::Unrelated)],
        several => match merge_from(session, several, ours, theirs)? {
            Ok(tree) => return Ok(Merged::Clean { tree, bases }),
            Err(paths) => paths,
        },
    };
    Ok(Merged::Conflict(assemble::conflict(session, ours, theirs, &bases, paths)?))
}

/// The tree, or the paths that conflict (never none).
type Outcome = std::result::Result<ObjectId, Vec<Found>>;

fn merge_from(session: &gix::Repository, bases: &[ObjectId], ours: ObjectId, theirs: ObjectId) -> Result<Outcome> {
    let (our_tree, their_tree) = (graph::tree_of(session, ours)?, graph::tree_of(session, theirs)?);
    let bench = Workbench::new(session, our_tree);
    let mut fold = Fold::new(&bench);
    let Some(base) = fold.base(bases)? else {
        return Ok(Err(vec![Found::whole(ConflictKind::Endless)]));
    };
    let (we, they) = (Changes::between(session, base, our_tree)?, Changes::between(session, base, their_tree)?);
    paths::check(&they)?;

    let merged = bench.merge(base, (our_tree, &we), (their_tree, &they), 0)?;
    let mut found = report::paths(session, &merged.unresolved);
    found.extend(renames::guessed(&bench, base, (our_tree, &we), &they, report::Who::Theirs)?);
    found.extend(renames::guessed(&bench, base, (their_tree, &they), &we, report::Who::Ours)?);
    for path in fold.decided() {
        let sides = [base, our_tree, their_tree].map(|tree| report::side_at(session, tree, path));
        let [base, ours, theirs] = sides;
        let (base, ours, theirs) = (base?, ours?, theirs?);
        if ours != theirs {
            found.push(Found { path: path.clone(), kind: ConflictKind::Bases, base, ours, theirs });
        }
    }
    if found.is_empty() && merged.unresolved.is_empty() {
        return Ok(Ok(merged.tree));
    }
    if found.is_empty() {
        found.push(Found::whole(ConflictKind::Other));
    }
    Ok(Err(found))
}

fn failed<E>(what: &str) -> impl FnOnce(E) -> Error
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    Error::git(format!("merge: {what}"))
}

/// The files that `new` has and `old` has not.
pub(crate) fn added_files(
    session: &gix::Repository,
    old: ObjectId,
    new: ObjectId,
) -> Result<impl IntoIterator<Item = gix::bstr::BString>> {
    Ok(Changes::between(session, old, new)?.added)
}
