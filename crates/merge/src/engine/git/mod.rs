//! The merge as git's own program makes it.

use gix::ObjectId;

use super::Merged;
use crate::conflict::{Found, assemble};
use crate::fallback::Fallback;
use crate::{ConflictKind, Error, Result, graph};

mod answer;
mod private;
mod run;

use answer::Answer;
use private::Private;
use run::Said;

/// Merges two commits with git. What it made is in the session's object memory afterwards.
pub(super) fn merge(
    session: &gix::Repository,
    fallback: &Fallback,
    ours: ObjectId,
    theirs: ObjectId,
) -> Result<Merged> {
    let bases = graph::merge_bases(session, ours, theirs)?;
    if bases.contains(&theirs) {
        return Ok(Merged::Contained);
    }
    let place = Private::new(session)?;
    place.give(session, [ours, theirs])?;
    let said = run::merge_tree(fallback, place.path(), ours, theirs)?;
    let found = match answer::read(&said).ok_or_else(|| unknown(&said))? {
        Answer::Clean(tree) => {
            place.take(session)?;
            let tree = ObjectId::from_hex(tree.as_bytes()).map_err(|_| failed("it named no tree"))?;
            return Ok(Merged::Clean { tree, bases });
        }
        Answer::Conflict(found) if found.is_empty() => vec![Found::whole(ConflictKind::Other)],
        Answer::Conflict(found) => found,
        Answer::Unrelated => vec![Found::whole(ConflictKind::Unrelated)],
    };
    Ok(Merged::Conflict(assemble::conflict(session, ours, theirs, &bases, found)?))
}

fn unknown(said: &Said) -> Error {
    let words = String::from_utf8_lossy(&said.err);
    let first: String = words.lines().next().unwrap_or("nothing").chars().take(200).collect();
    failed(format!(
        "its answer is not of the known form (status {:?}; it said: {first}); git 2.45 or later is needed",
        said.status
    ))
}

fn failed(problem: impl Into<String>) -> Error {
    Error::git("merge with git")(problem.into())
}
