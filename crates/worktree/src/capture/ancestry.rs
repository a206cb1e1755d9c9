//! Which commits contain which.

use std::collections::HashSet;

use gix::ObjectId;
use gix::revision::walk::Sorting;
use gix::traverse::commit::simple::CommitTimeOrder;

use super::fault;
use crate::Result;

/// Which of `wanted` are among the `tips` or their ancestors.
///
/// The newest commits come first, so that what is near is found at once. Commits from before `cutoff`, in seconds, are
/// not looked at; without one, what is not there costs a walk through all of the history.
pub(super) fn contained(
    repo: &gix::Repository,
    tips: impl IntoIterator<Item = ObjectId>,
    wanted: impl IntoIterator<Item = ObjectId>,
    cutoff: Option<i64>,
) -> Result<HashSet<ObjectId>> {
    let mut missing: HashSet<ObjectId> = wanted.into_iter().collect();
    let tips: Vec<ObjectId> = tips.into_iter().collect();
    let mut found: HashSet<ObjectId> = tips.iter().filter(|tip| missing.remove(*tip)).copied().collect();
    if missing.is_empty() {
        return Ok(found);
    }
    let order = CommitTimeOrder::NewestFirst;
    let order = cutoff.map_or(Sorting::ByCommitTime(order), |seconds| Sorting::ByCommitTimeCutoff { order, seconds });
    let walk = repo.rev_walk(tips).sorting(order).all().map_err(fault::git("walk the history"))?;
    for commit in walk {
        let id = commit.map_err(fault::git("walk the history"))?.id;
        if missing.remove(&id) {
            found.insert(id);
            if missing.is_empty() {
                break;
            }
        }
    }
    Ok(found)
}

/// Whether `old` is `new` or one of its ancestors, whatever the clocks of their authors said.
///
/// The walk ends where the histories of both have met. A commit that is missing is in no history.
pub(crate) fn contains(repo: &gix::Repository, new: ObjectId, old: ObjectId) -> Result<bool> {
    Ok(repo.has_object(old) && since_at_most(repo, new, old, 0)?.is_some())
}

/// The commits that `tip` contains and `base` does not, newest first.
pub(crate) fn since(repo: &gix::Repository, base: ObjectId, tip: ObjectId) -> Result<Vec<ObjectId>> {
    Ok(since_at_most(repo, base, tip, usize::MAX)?.unwrap_or_default())
}

/// As [`since`], or none when there are more than so many.
pub(crate) fn since_at_most(
    repo: &gix::Repository,
    base: ObjectId,
    tip: ObjectId,
    most: usize,
) -> Result<Option<Vec<ObjectId>>> {
    if base == tip {
        return Ok(Some(Vec::new()));
    }
    let walk = repo.rev_walk([tip]).with_hidden([base]).all().map_err(fault::git("walk the history"))?;
    let mut found = Vec::new();
    for commit in walk {
        if found.len() == most {
            return Ok(None);
        }
        found.push(commit.map_err(fault::git("walk the history"))?.id);
    }
    Ok(Some(found))
}
