//! Refs that keep work reachable which no branch holds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gix::ObjectId;

use super::{ancestry, way};
use crate::swap::{self, COMMITTER, Log, Value};
use crate::{CommitId, Error, Rescue, Result, WorktreeId};

/// How often another process may take the number that was about to be used.
const TRIES: usize = 1000;

/// Larger numbers are nobody's but an agent's, and are not counted on from.
const LARGEST: u64 = 1 << 48;

/// What the log of a rescue ref is told.
const KEPT: &str = "rescue: kept by hedgerow";
/// What it is told of one that goes on with each capture, because the branch cannot.
const HELD: &str = "rescue: in place of a branch in use";

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
    if let Some(name) = held_as(common, id, commit)? {
        return Ok(name);
    }
    way::above(repo, id, &prefix(id))?;
    put(repo, id, commit)
}

/// Puts under a rescue ref what a branch should name on which another checkout is: the one that an earlier capture made
/// goes on, if it loses nothing by that, so that they do not pile up. It is durable afterwards.
pub(crate) fn hold(repo: &gix::Repository, id: &WorktreeId, commit: ObjectId) -> Result<Rescue> {
    let common = repo.common_dir();
    if held_as(common, id, commit)?.is_none()
        && let Some((reference, old)) = held(common, id)?
        && ancestry::contains(repo, commit, old)?
    {
        let log = Log::new(repo, COMMITTER, HELD);
        if swap::set(common, &reference, commit, Some(&log), |value| value == Value::Id(old))? == Value::Id(old) {
            swap::sync(common, &reference)?;
            return Ok(Rescue { reference, commit: CommitId::new(commit.to_string())? });
        }
    }
    if held_as(common, id, commit)?.is_none() {
        way::above(repo, id, &prefix(id))?;
        put_as(repo, id, commit, HELD)?;
    }
    rescue(repo, id, commit)
}

/// The last rescue ref that a capture made in place of a branch, and what it names.
pub(super) fn held(common: &Path, id: &WorktreeId) -> Result<Option<(String, ObjectId)>> {
    // Mostly there is none, and then no ref needs to be looked at.
    if common.join("logs").join(prefix(id)).symlink_metadata().is_err() {
        return Ok(None);
    }
    let in_place = |name: &String| swap::last_message(common, name).is_some_and(|told| told == HELD);
    let found = taken(common, id)?.into_values().rev().filter_map(|(name, held)| match held {
        Value::Id(commit) => Some((name, commit)),
        Value::Missing | Value::Other => None,
    });
    Ok(found.into_iter().find(|(name, _)| in_place(name)))
}

/// The rescue ref of this worktree that names this commit.
pub(super) fn held_as(common: &Path, id: &WorktreeId, commit: ObjectId) -> Result<Option<String>> {
    Ok(taken(common, id)?.into_values().find(|(_, held)| *held == Value::Id(commit)).map(|(name, _)| name))
}

/// Puts a commit under the next free number.
pub(super) fn put(repo: &gix::Repository, id: &WorktreeId, commit: ObjectId) -> Result<String> {
    put_as(repo, id, commit, KEPT)
}

fn put_as(repo: &gix::Repository, id: &WorktreeId, commit: ObjectId, why: &str) -> Result<String> {
    let common = repo.common_dir();
    let log = Log::new(repo, COMMITTER, why);
    for _ in 0..TRIES {
        let reference = format!("{}{}", prefix(id), next(common, id)?);
        if swap::set(common, &reference, commit, Some(&log), |value| value == Value::Missing)? == Value::Missing {
            return Ok(reference);
        }
    }
    Err(Error::RefMoved { reference: prefix(id), problem: "other processes took every number that was tried".into() })
}

/// A number above those of all rescue refs of this worktree, also of refs that only begin with one: whoever works on the
/// repository itself may have made some such as `1/2`, beside which git cannot have `1`.
fn next(common: &Path, id: &WorktreeId) -> Result<u64> {
    let prefix = prefix(id);
    let refs = swap::below(common, &prefix)?.into_keys();
    let first = |name: String| name.strip_prefix(&prefix)?.split('/').next()?.parse::<u64>().ok();
    let used: BTreeSet<u64> = refs.filter_map(first).collect();
    let last = used.range(..=LARGEST).next_back().map_or(0, |last| *last);
    Ok((last + 1..).find(|number| !used.contains(number)).unwrap_or(last))
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
