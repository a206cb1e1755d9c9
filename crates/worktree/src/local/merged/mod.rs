//! Whether work is part of another commit, by tree and by patch.
//!
//! Names prove nothing: a branch that was merged may have gone on, and a merged change may have been taken back. A squash,
//! a rebase and a cherry-pick leave no link at all, but they leave the same patches or the same files.

mod changes;
mod held;
mod history;
mod patch;

use gix::ObjectId;

pub(super) use held::is_held;
use history::Wanted;

use super::base;
use super::manager::LocalWorktrees;
use super::release::tip_of;
use crate::capture::{ancestry, fault};
use crate::{CommitId, Integration, Result, WorktreeId, repo};

/// How many commits of the other line are looked through, and how many of ours.
const MOST_COMMITS: usize = 10_000;

impl LocalWorktrees {
    /// Says whether and how the commits of a worktree are part of the history of `into`.
    ///
    /// Only commits are compared, those of the branch or of a detached `HEAD`: capture the worktree first. Reads only.
    ///
    /// # Errors
    /// [`Error::LeaseLost`](crate::Error::LeaseLost) when there is no worktree of this id; any other when the repository
    /// cannot be read. What cannot be told otherwise is an [`Integration::Unknown`].
    pub async fn integration(&self, id: &WorktreeId, into: &CommitId) -> Result<Integration> {
        let (id, into) = (id.clone(), into.clone());
        self.blocking(move |layout| {
            let repo = repo::open(&layout.common)?;
            let (base, tip) = tip_of(&repo, layout, &id)?;
            let Some(tip) = tip else {
                let why = "it has no commit that could be read; capture it first".into();
                return Ok(Integration::Unknown { why });
            };
            Ok(integration(&repo, base, tip, base::object_id(&into)?))
        })
        .await
    }
}

/// How `tip`, which was begun at `base`, is part of `into`.
pub(super) fn integration(repo: &gix::Repository, base: ObjectId, tip: ObjectId, into: ObjectId) -> Integration {
    decide(repo, base, tip, into).unwrap_or_else(|why| Integration::Unknown { why })
}

fn decide(
    repo: &gix::Repository,
    base: ObjectId,
    tip: ObjectId,
    into: ObjectId,
) -> std::result::Result<Integration, String> {
    if let Some(absent) = [tip, into].into_iter().find(|id| !repo.has_object(id)) {
        return Err(format!("commit {absent} is not in this repository"));
    }
    if tip == into {
        return Ok(Integration::SameCommit);
    }
    let ours = since(repo, into, tip)?;
    if ours.is_empty() {
        return taken_back(repo, base, tip, into);
    }
    let boundary = boundary(repo, &ours)?;
    let theirs = match boundary[..] {
        [] => return Ok(missing(&ours)),
        [from] => since(repo, from, into)?,
        _ => Vec::new(),
    };
    // Without one commit at which the lines parted there is no total to compare.
    let total = match boundary[..] {
        [from] => {
            let trees = [changes::tree_of(repo, Some(from))?, changes::tree_of(repo, Some(tip))?];
            Some(Wanted::new(repo, tip, trees[0], trees[1])?)
        }
        _ => None,
    };
    if let Some(total) = &total {
        if total.is_empty() {
            return Ok(Integration::EmptyChange);
        }
        if has_content(repo, total, into)? {
            return Ok(Integration::SameTree);
        }
    }
    by_patches(repo, &ours, &theirs, total)
}

/// Whether every path of the change is in that commit as the change leaves it.
fn has_content(repo: &gix::Repository, total: &Wanted, into: ObjectId) -> std::result::Result<bool, String> {
    let Some(root) = changes::tree_of(repo, Some(into))? else { return Ok(false) };
    for change in total.changes() {
        let there = changes::at(repo, root, &change.path)?;
        // Where we have no file, a directory of theirs is in nobody's way.
        if there.filter(|item| !item.mode.is_tree()) != change.after {
            return Ok(false);
        }
    }
    Ok(true)
}

fn by_patches(
    repo: &gix::Repository,
    ours: &[ObjectId],
    theirs: &[ObjectId],
    total: Option<Wanted>,
) -> std::result::Result<Integration, String> {
    let mut wanted = Vec::new();
    let mut merges = Vec::new();
    for &id in ours {
        match Wanted::of_commit(repo, id)? {
            Some(one) => wanted.push(one),
            // What a merge changed beyond its sides cannot be told from a patch.
            None => merges.push(id),
        }
    }
    let single = wanted.len();
    wanted.extend(total);
    history::search(repo, theirs, &mut wanted)?;
    let (each, total) = wanted.split_at(single);
    let squashed = total.iter().any(Wanted::is_there) && !each.iter().any(Wanted::is_undone);
    let one_by_one = merges.is_empty() && each.iter().all(Wanted::is_there) && !total.iter().any(Wanted::is_undone);
    if squashed || one_by_one {
        let from = if squashed { total } else { each };
        let by = theirs.iter().filter(|id| from.iter().any(|one| one.made.contains(id)));
        return Ok(Integration::Patches { by: by.map(|id| base::commit_id(*id)).collect() });
    }
    let gone = |id: &&ObjectId| !each.iter().any(|one| one.commit == **id && one.is_there());
    let left: Vec<ObjectId> = ours.iter().filter(gone).copied().collect();
    Ok(missing(if left.is_empty() { ours } else { &left }))
}

/// The commits are in the history of `into`; a later commit may take back what they did.
fn taken_back(
    repo: &gix::Repository,
    base: ObjectId,
    tip: ObjectId,
    into: ObjectId,
) -> std::result::Result<Integration, String> {
    let ours = match since(repo, base, tip) {
        Ok(ours) if !ours.is_empty() => ours,
        _ => return Ok(Integration::Ancestor),
    };
    // That they are in there is proven already; whether somebody took them back long after is not worth any time.
    let Ok(theirs) = since(repo, tip, into) else { return Ok(Integration::Ancestor) };
    let mut wanted = Vec::new();
    for &id in &ours {
        wanted.extend(Wanted::of_commit(repo, id)?);
    }
    let trees = [changes::tree_of(repo, Some(base))?, changes::tree_of(repo, Some(tip))?];
    let total = Wanted::new(repo, tip, trees[0], trees[1])?;
    if has_content(repo, &total, into)? {
        return Ok(Integration::Ancestor);
    }
    wanted.push(total);
    history::search(repo, &theirs, &mut wanted)?;
    if wanted.pop().is_some_and(|total| total.is_undone()) {
        return Ok(missing(&ours));
    }
    let gone: Vec<ObjectId> = wanted.iter().filter(|one| one.is_undone()).map(|one| one.commit).collect();
    Ok(if gone.is_empty() { Integration::Ancestor } else { missing(&gone) })
}

fn missing(commits: &[ObjectId]) -> Integration {
    Integration::NotIntegrated { missing: commits.iter().map(|id| base::commit_id(*id)).collect() }
}

fn since(repo: &gix::Repository, base: ObjectId, tip: ObjectId) -> std::result::Result<Vec<ObjectId>, String> {
    let found = ancestry::since_at_most(repo, base, tip, MOST_COMMITS).map_err(|e| fault::with_causes(&e))?;
    found.ok_or_else(|| format!("there are more than {MOST_COMMITS} commits between {base} and {tip}"))
}

/// The commits on which ours stand: one, unless the lines have met in between.
fn boundary(repo: &gix::Repository, ours: &[ObjectId]) -> std::result::Result<Vec<ObjectId>, String> {
    let mut found: Vec<ObjectId> = Vec::new();
    for &id in ours {
        let commit = repo.find_commit(id).map_err(|e| e.to_string())?;
        for parent in commit.parent_ids().map(gix::Id::detach) {
            if !ours.contains(&parent) && !found.contains(&parent) {
                found.push(parent);
            }
        }
    }
    let mut last = Vec::new();
    for &one in &found {
        let mut others = found.iter().filter(|other| **other != one);
        let contained = others.try_fold(false, |contained, other| {
            Ok::<_, crate::Error>(contained || ancestry::contains(repo, *other, one)?)
        });
        if !contained.map_err(|e| fault::with_causes(&e))? {
            last.push(one);
        }
    }
    Ok(last)
}
