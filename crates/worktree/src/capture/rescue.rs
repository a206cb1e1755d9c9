//! Refs that keep work reachable which no branch holds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gix::ObjectId;

use crate::swap::{self, COMMITTER, Log, Value};
use crate::{CommitId, Error, Rescue, Result, WorktreeId, disk};

/// How often another process may take the number that was about to be used.
const TRIES: usize = 1000;

/// Larger numbers are nobody's but an agent's, and are not counted on from.
const LARGEST: u64 = 1 << 48;

/// Where a ref that is moved out of the way is held meanwhile, below the id of the worktree that it becomes a rescue of.
const MOVED: &str = "refs/hedgerow/moved/";

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
    if let Some((name, _)) = taken(common, id)?.into_values().find(|(_, held)| *held == Value::Id(commit)) {
        return Ok(name);
    }
    make_way(repo, common, id)?;
    put(repo, common, id, commit)
}

/// Puts a commit under the next free number.
fn put(repo: &gix::Repository, common: &Path, id: &WorktreeId, commit: ObjectId) -> Result<String> {
    let log = Log::new(repo, COMMITTER, "rescue: kept by hedgerow");
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

/// Makes rescue refs of those that have the name of a directory of rescue refs, beside which git can have none.
///
/// At every moment a ref holds what they name. What is left when this is killed is made a rescue ref by
/// [`settle`].
fn make_way(repo: &gix::Repository, common: &Path, id: &WorktreeId) -> Result<()> {
    let prefix = prefix(id);
    for (end, _) in prefix.match_indices('/').skip(2) {
        let directory = &prefix[..end];
        // Any other is left alone: then a rescue ref cannot be made, and the tree stays.
        let Value::Id(object) = swap::read(common, directory)? else { continue };
        let meanwhile = format!("{MOVED}{id}/{}", disk::token()?);
        swap::set(common, &meanwhile, object, None, |value| value == Value::Missing)?;
        swap::sync(common, &meanwhile)?;
        swap::delete(common, directory, |value| value == Value::Id(object))?;
        moved(repo, common, id, &meanwhile, object)?;
    }
    Ok(())
}

/// Makes a rescue ref of what is held meanwhile.
fn moved(repo: &gix::Repository, common: &Path, id: &WorktreeId, meanwhile: &str, object: ObjectId) -> Result<()> {
    let reference = match taken(common, id)?.into_values().find(|(_, held)| *held == Value::Id(object)) {
        Some((name, _)) => name,
        None => put(repo, common, id, object)?,
    };
    swap::sync(common, &reference)?;
    swap::delete(common, meanwhile, |value| value == Value::Id(object))?;
    Ok(())
}

/// Makes rescue refs of what dead processes held while they moved it out of the way. It is no matter if they live.
pub(crate) fn settle(repo: &gix::Repository) -> Result<()> {
    let common = repo.common_dir();
    for (name, held) in swap::below(common, MOVED)? {
        let id =
            name.strip_prefix(MOVED).and_then(|rest| rest.split('/').next()).and_then(|id| WorktreeId::new(id).ok());
        let (Some(id), Value::Id(object)) = (id, held) else { continue };
        make_way(repo, common, &id)?;
        moved(repo, common, &id, &name, object)?;
    }
    Ok(())
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
