//! Refs that keep work reachable which no branch holds.

use std::collections::BTreeMap;

use gix::ObjectId;
use gix::date::parse::TimeBuf;
use gix::refs::transaction::{PreviousValue, RefEdit};

use super::fault;
use crate::{CommitId, Error, Rescue, Result, WorktreeId};

/// How often another process may take the number that was about to be used.
const TRIES: usize = 1000;

fn prefix(id: &WorktreeId) -> String {
    format!("refs/hedgerow/rescue/{id}/")
}

/// Puts a commit under the next free rescue ref of this worktree, or finds the one that has it already.
pub(crate) fn rescue(repo: &gix::Repository, id: &WorktreeId, commit: ObjectId) -> Result<Rescue> {
    let target = CommitId::new(commit.to_string())?;
    for _ in 0..TRIES {
        let taken = taken(repo, id)?;
        if let Some(reference) = taken.values().find(|(_, held)| *held == commit).map(|(name, _)| name.clone()) {
            return Ok(Rescue { reference, commit: target });
        }
        let next = taken.keys().next_back().map_or(1, |last| last + 1);
        let reference = format!("{}{next}", prefix(id));
        let name = gix::refs::FullName::try_from(reference.as_str()).map_err(fault::git("name a rescue ref"))?;
        let edit = RefEdit::update(name, commit, PreviousValue::MustNotExist, "rescue: kept by hedgerow");
        let machine = super::land::machine();
        match repo.edit_references_as([edit], Some(machine.to_ref(&mut TimeBuf::default()))) {
            Ok(_) => return Ok(Rescue { reference, commit: target }),
            Err(_) if repo.try_find_reference(reference.as_str()).is_ok_and(|found| found.is_some()) => {}
            Err(e) => return Err(fault::git(format!("create {reference}"))(e)),
        }
    }
    Err(Error::RefMoved { reference: prefix(id), problem: "other processes took every number that was tried".into() })
}

/// The rescue refs of this worktree, oldest first.
pub(crate) fn rescues(repo: &gix::Repository, id: &WorktreeId) -> Result<Vec<Rescue>> {
    let found = taken(repo, id)?.into_values();
    found.map(|(reference, held)| Ok(Rescue { reference, commit: CommitId::new(held.to_string())? })).collect()
}

/// The rescue refs of this worktree by their number.
fn taken(repo: &gix::Repository, id: &WorktreeId) -> Result<BTreeMap<u64, (String, ObjectId)>> {
    let action = || format!("list the rescue refs of {id}");
    let prefix = prefix(id);
    let platform = repo.references().map_err(fault::git(action()))?;
    let mut taken = BTreeMap::new();
    for reference in platform.prefixed(prefix.as_str()).map_err(fault::git(action()))? {
        let reference = reference.map_err(|e| Error::Git { action: action(), source: e.into() })?;
        let name = reference.name().as_bstr().to_string();
        let number = name.strip_prefix(&prefix).and_then(|n| n.parse().ok());
        if let (Some(number), Some(held)) = (number, reference.target().try_id()) {
            taken.insert(number, (name, held.to_owned()));
        }
    }
    Ok(taken)
}
