//! Refs that keep work reachable which no branch holds.

use std::collections::BTreeMap;
use std::path::Path;

use gix::ObjectId;

use crate::swap::{self, COMMITTER, Log, Value};
use crate::{CommitId, Error, Rescue, Result, WorktreeId};

/// How often another process may take the number that was about to be used.
const TRIES: usize = 1000;

/// What the names of the rescue refs of this worktree begin with.
pub(crate) fn prefix(id: &WorktreeId) -> String {
    format!("refs/hedgerow/rescue/{id}/")
}

/// Puts a commit under the next free rescue ref of this worktree, or finds the one that has it already; it is durable
/// afterwards.
pub(crate) fn rescue(repo: &gix::Repository, id: &WorktreeId, commit: ObjectId) -> Result<Rescue> {
    let common = repo.common_dir();
    let reference = place(repo, common, id, commit)?;
    swap::sync(common, &reference)?;
    Ok(Rescue { reference, commit: CommitId::new(commit.to_string())? })
}

fn place(repo: &gix::Repository, common: &Path, id: &WorktreeId, commit: ObjectId) -> Result<String> {
    let log = Log::new(repo, COMMITTER, "rescue: kept by hedgerow");
    for _ in 0..TRIES {
        let taken = taken(common, id)?;
        if let Some((name, _)) = taken.values().find(|(_, held)| *held == Value::Id(commit)) {
            return Ok(name.clone());
        }
        let next = taken.keys().next_back().map_or(1, |last| last.saturating_add(1));
        let reference = format!("{}{next}", prefix(id));
        if swap::set(common, &reference, commit, Some(&log), |value| value == Value::Missing)? == Value::Missing {
            return Ok(reference);
        }
    }
    Err(Error::RefMoved { reference: prefix(id), problem: "other processes took every number that was tried".into() })
}

/// The rescue refs of this worktree, oldest first.
pub(crate) fn rescues(common: &Path, id: &WorktreeId) -> Result<Vec<Rescue>> {
    let mut found = Vec::new();
    for (reference, held) in taken(common, id)?.into_values() {
        if let Value::Id(commit) = held {
            found.push(Rescue { reference, commit: CommitId::new(commit.to_string())? });
        }
    }
    Ok(found)
}

/// The rescue refs of this worktree by their number.
fn taken(common: &Path, id: &WorktreeId) -> Result<BTreeMap<u64, (String, Value)>> {
    let prefix = prefix(id);
    let refs = swap::below(common, &prefix)?.into_iter();
    let numbered = |(name, held): (String, _)| Some((name.strip_prefix(&prefix)?.parse().ok()?, (name, held)));
    Ok(refs.filter_map(numbered).collect())
}
