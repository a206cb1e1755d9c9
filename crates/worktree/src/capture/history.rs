//! Finds the commits that were made inside, and brings them into the repository.

use std::collections::{BTreeMap, HashSet};

use gix::ObjectId;

use super::beneath::Dir;
use super::import::Importer;
use super::notices::Notices;
use super::refs::Refs;
use super::store::Store;
use super::{Input, ancestry, fault, limits, verify};
use crate::{GitAccess, Result, view};

/// How wrong a clock may be before a parent seems to be newer than its child: a week, in seconds.
const SKEW: i64 = 7 * 24 * 60 * 60;

/// What was made inside, all of it in the repository by now.
#[derive(Debug, Default)]
pub(super) struct History {
    /// What `HEAD` inside names, unless it was refused.
    pub(super) tip: Option<ObjectId>,
    /// Further commits that neither the tip nor the base contains.
    pub(super) lines: Vec<ObjectId>,
}

/// Takes over the history inside; what is wrong with it becomes a notice.
///
/// # Errors
/// When the repository cannot be read or written.
pub(super) fn take(repo: &gix::Repository, common: &Dir, input: &Input, notices: &mut Notices) -> Result<History> {
    let taken = match input.git {
        GitAccess::Private => private(repo, input, notices)?,
        GitAccess::Direct => direct(repo, common, input),
    };
    Ok(taken.unwrap_or_else(|why| {
        notices.refused(why);
        History::default()
    }))
}

/// Git worked on the repository itself: the objects are there, and other branches are branches.
fn direct(repo: &gix::Repository, common: &Dir, input: &Input) -> std::result::Result<History, String> {
    let admin = Dir::open(&input.admin).map_err(|e| format!("the admin directory cannot be opened: {e}"))?;
    let tip = Refs { own: &admin, common, hash: repo.object_hash() }.head()?;
    for id in ancestry::since(repo, input.base, tip).map_err(|e| fault::with_causes(&e))? {
        let object = repo.find_object(id).map_err(|e| e.to_string())?;
        verify::commit(id, &object.data)?;
    }
    Ok(History { tip: Some(tip), lines: Vec::new() })
}

/// Git worked on a view.
fn private(
    repo: &gix::Repository,
    input: &Input,
    notices: &mut Notices,
) -> Result<std::result::Result<History, String>> {
    let place = view::dir(&input.common, &input.id);
    let git = match Dir::open(&view::git_dir(&input.common, &input.id)) {
        Ok(git) => git,
        Err(e) => return Ok(Err(format!("the private git directory cannot be opened: {e}"))),
    };
    let store = match Store::open(&git, &place, repo.object_hash()) {
        Ok(store) => store,
        Err(why) => return Ok(Err(why)),
    };
    let refs = Refs { own: &git, common: &git, hash: repo.object_hash() };
    let importer = Importer::new(repo, &store, input);
    let head = refs.head();
    let named = head.as_ref().ok().copied();
    let tip = match head.and_then(|id| importer.peel(id)) {
        Ok(tip) => importer.import(tip)?.map(|()| tip),
        Err(why) => Err(why),
    };
    let tip = tip.map_err(|why| notices.refused(why)).ok();
    // What was refused as `HEAD` is not refused once more as the branch that it is on.
    let looked_at: Vec<ObjectId> = named.into_iter().chain(tip).chain([input.base]).collect();
    let lines = lines(repo, &refs, &importer, &looked_at, input, notices)?;
    Ok(Ok(History { tip, lines }))
}

/// The commits that the reflogs of this worktree name and that are still there, and in words what could not be read.
pub(super) fn logged(
    repo: &gix::Repository,
    input: &Input,
    own: &Dir,
    common: &Dir,
) -> (Vec<ObjectId>, Option<String>) {
    let (named, strange) = logged_ids(input, own, common, repo.object_hash());
    let (found, refused) = there(repo, input, own, named);
    (found, strange.or(refused))
}

/// What the reflogs of this worktree name.
pub(super) fn logged_ids(
    input: &Input,
    own: &Dir,
    common: &Dir,
    hash: gix::hash::Kind,
) -> (Vec<ObjectId>, Option<String>) {
    let mut strange = None;
    let mut logs = vec![(own, "HEAD".to_owned())];
    if let Some(branch) = &input.branch {
        let of_branch = if input.git == GitAccess::Private { own } else { common };
        logs.push((of_branch, format!("refs/heads/{branch}")));
    }
    let mut named = Vec::new();
    for (dir, name) in logs {
        match (Refs { own: dir, common: dir, hash }).log(&name) {
            Ok(ids) if ids.len() > limits::LOGGED => {
                strange = Some(format!("the log of {name} has more than {} entries", limits::LOGGED));
                named.extend(ids.into_iter().rev().take(limits::LOGGED));
            }
            Ok(ids) => named.extend(ids),
            Err(why) => strange = Some(why),
        }
    }
    named.sort_unstable();
    named.dedup();
    (named, strange)
}

/// Those of these commits that are still there, brought into the repository, and in words which one was refused.
pub(super) fn there(
    repo: &gix::Repository,
    input: &Input,
    own: &Dir,
    mut named: Vec<ObjectId>,
) -> (Vec<ObjectId>, Option<String>) {
    let mut strange = None;
    if input.git == GitAccess::Private && named.iter().any(|id| !repo.has_object(id)) {
        let place = view::dir(&input.common, &input.id);
        match Store::open(own, &place, repo.object_hash()) {
            Ok(store) => {
                let importer = Importer::new(repo, &store, input);
                named.retain(|id| {
                    // What was pruned in there is gone; there is nothing left to lose.
                    if repo.has_object(id) || store.find(*id).is_err() {
                        return repo.has_object(id);
                    }
                    let refused = match importer.import(*id) {
                        Ok(Ok(())) => return true,
                        Ok(Err(why)) => why,
                        Err(e) => fault::with_causes(&e),
                    };
                    strange = Some(format!("commit {id}: {refused}"));
                    false
                });
            }
            Err(why) => strange = Some(why),
        }
    }
    named.retain(|id| repo.find_commit(*id).is_ok());
    (named, strange)
}

/// Imports what the other refs hold than what was looked at before.
fn lines(
    repo: &gix::Repository,
    refs: &Refs<'_>,
    importer: &Importer<'_>,
    looked_at: &[ObjectId],
    input: &Input,
    notices: &mut Notices,
) -> Result<Vec<ObjectId>> {
    let (all, flaws) = refs.all();
    flaws.into_iter().for_each(|flaw| notices.refused(flaw));
    // By commit, so that each is looked at once however many refs name it.
    let mut candidates: BTreeMap<ObjectId, String> = BTreeMap::new();
    let named = all.into_iter().map(|(name, id)| (String::from_utf8_lossy(&name).into_owned(), id));
    let stashes = refs.stashes().unwrap_or_else(|flaw| {
        notices.refused(flaw);
        Vec::new()
    });
    let stashes = stashes.into_iter().map(|id| ("a stash".to_owned(), id));
    for (name, id) in named.chain(stashes) {
        if looked_at.contains(&id) || candidates.contains_key(&id) {
            continue;
        }
        match importer.peel(id) {
            Ok(commit) => drop(candidates.entry(commit).or_insert(name)),
            Err(why) => notices.refused(format!("{name}: {why}")),
        }
    }
    let there: Vec<ObjectId> = candidates.keys().copied().filter(|id| repo.has_object(id)).collect();
    let tips = looked_at.iter().copied().filter(|id| repo.find_commit(*id).is_ok());
    let cutoff = oldest(repo, &there).map(|seconds| seconds.saturating_sub(SKEW));
    // What is contained and yet not found is kept by one ref more than is needed.
    for id in ancestry::contained(repo, tips, there, cutoff)? {
        candidates.remove(&id);
    }
    let mut lines = Vec::new();
    let mut left_out = Vec::new();
    for (id, name) in candidates {
        if lines.len() >= limits::RESCUES {
            left_out.push(name);
            continue;
        }
        match importer.import(id)? {
            Ok(()) => lines.push(id),
            Err(why) => notices.refused(format!("{name}: {why}")),
        }
    }
    if let Some(first) = left_out.first() {
        notices.refused(format!("{} more refs were not taken over, {first} among them", left_out.len()));
    }
    without_contained(repo, lines, input.base)
}

/// When the oldest of these commits was made, as far as it says.
fn oldest(repo: &gix::Repository, commits: &[ObjectId]) -> Option<i64> {
    let time = |id: &ObjectId| repo.find_commit(*id).ok()?.time().ok().map(|time| time.seconds);
    commits.iter().map(|id| time(id).unwrap_or(0)).min()
}

/// Leaves only commits that no other one contains.
fn without_contained(repo: &gix::Repository, lines: Vec<ObjectId>, base: ObjectId) -> Result<Vec<ObjectId>> {
    let mut covered = HashSet::new();
    for &line in &lines {
        covered.extend(ancestry::since(repo, base, line)?.into_iter().filter(|id| *id != line));
    }
    Ok(lines.into_iter().filter(|id| !covered.contains(id)).collect())
}
