//! What is behind a conflict: which lines, and whose work.

use std::collections::BTreeSet;
use std::ops::Range;

use gix::ObjectId;
use serde::{Deserialize, Serialize};

use super::markers::versions;
use super::{Touch, history};
use crate::text::{Taken, Texts, regions};
use crate::{Conflict, ConflictPath, Repository, Result, graph};

/// What is behind one conflicting path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// The lines that both sides changed, from the top. Empty when there are no lines to compare, as in binary files.
    pub hunks: Vec<Hunk>,
    /// The commits of the target that touched it since the merge bases, the latest first.
    pub ours: Vec<Touch>,
    /// The commits of the change that touched it since the merge bases, the latest first.
    pub theirs: Vec<Touch>,
}

/// Lines that both sides changed, counted from 0. A range may be empty: there, lines were added or taken out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hunk {
    /// The lines in the merge base.
    pub base: Range<usize>,
    /// What the target has instead.
    pub ours: Range<usize>,
    /// What the change has instead.
    pub theirs: Range<usize>,
}

impl Repository {
    /// Which lines of a conflicting path conflict, and which commits and tasks of both sides made them so.
    ///
    /// Of each side, the latest 5,000 commits are looked at. Nothing is written.
    ///
    /// # Errors
    /// [`Error::Object`](crate::Error::Object) when one of the conflict's commits or files is not in this repository.
    pub fn inspect(&self, conflict: &Conflict, path: &ConflictPath) -> Result<Inspection> {
        self.in_memory(|session| {
            let ours = graph::commit(session, &conflict.ours)?;
            let theirs = graph::commit(session, &conflict.theirs)?;
            let bases: Vec<ObjectId> =
                conflict.bases.iter().map(|base| graph::commit(session, base)).collect::<Result<_>>()?;
            let entries = path.terms.adds().iter().chain(path.terms.removes()).flatten();
            let mut paths: BTreeSet<_> = entries.map(|entry| entry.path.clone()).collect();
            paths.insert(path.path.clone());
            paths.retain(|path| !path.is_empty());
            let hunks = match versions(session, conflict, path)? {
                Some(versions) => hunks(&Texts::new(&versions.base, &versions.ours, &versions.theirs)),
                None => Vec::new(),
            };
            Ok(Inspection {
                hunks,
                ours: history::touches(session, ours, &bases, &paths)?,
                theirs: history::touches(session, theirs, &bases, &paths)?,
            })
        })
    }
}

fn hunks(texts: &Texts<'_>) -> Vec<Hunk> {
    let conflicts = regions(texts).into_iter().filter(|region| region.taken == Taken::Conflict);
    conflicts.map(|region| Hunk { base: region.base, ours: region.ours, theirs: region.theirs }).collect()
}
