//! Finds commits that no ref holds and that only git's own files beside the refs name: a reflog, what a stopped rebase
//! has put away, the refs that belong to one worktree alone.

use std::collections::HashSet;
use std::io::ErrorKind;

use gix::ObjectId;
use gix::hash::Kind;

use super::beneath::Dir;
use super::history;
use super::observe::{beyond, elsewhere, own_dir};
use super::refs::Refs;
use super::staged::Make;
use super::{Input, ancestry, base, durable, fault, limits};
use crate::{GitAccess, Result};

/// The files of a git directory that name what a rebase or a merge has put away.
const PUT_AWAY: [&str; 3] = ["rebase-merge/autostash", "rebase-apply/autostash", "MERGE_AUTOSTASH"];
/// Further files that name commits, one in a line; mostly a reflog names them as well.
const NAMED: [&str; 8] = [
    "ORIG_HEAD",
    "rebase-merge/orig-head",
    "rebase-apply/orig-head",
    "rebase-merge/stopped-sha",
    "REBASE_HEAD",
    "MERGE_HEAD",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
];

/// Commits that would go with the worktree, the objects of all of them durable and in the repository; in words what
/// could not be read. What `tips` reach is held.
///
/// Those that a reflog remembers are the parents of one commit, as there may be many.
///
/// # Errors
/// When the repository cannot be read or written.
pub(crate) fn aside(
    repo: &gix::Repository,
    input: &Input,
    tips: &[ObjectId],
) -> Result<std::result::Result<Vec<ObjectId>, String>> {
    let common = Dir::open(&input.common).map_err(fault::io("open", &input.common))?;
    let own = match own_dir(input) {
        Ok(own) => own,
        Err(why) => return Ok(Err(format!("its git directory: {why}"))),
    };
    let hash = repo.object_hash();
    let (named, in_files) = match (named(&own, input, hash), files(&own, &NAMED, hash)) {
        (Ok(named), Ok(in_files)) => (named, in_files),
        (Err(why), _) | (_, Err(why)) => return Ok(Err(why)),
    };
    let (mut logged, strange) = history::logged_ids(input, &own, &common, hash);
    logged.extend(in_files);
    logged.sort_unstable();
    logged.dedup();
    let mut known: HashSet<ObjectId> = tips.iter().copied().chain([input.base]).collect();
    for tip in tips {
        known.extend(ancestry::since(repo, input.base, *tip)?);
    }
    let new = |ids: Vec<ObjectId>| -> Vec<ObjectId> { ids.into_iter().filter(|id| !known.contains(id)).collect() };
    if let Some(why) = strange {
        return Ok(Err(format!("the reflog: {why}")));
    }
    let (named, logged) = (new(named), new(logged));
    if named.is_empty() && logged.is_empty() {
        return Ok(Ok(Vec::new()));
    }
    let (named, strange) = history::there(repo, input, &own, named);
    let (logged, of_logs) = history::there(repo, input, &own, logged);
    if let Some(why) = strange.or(of_logs) {
        return Ok(Err(why));
    }
    let (held, flaws) = elsewhere(repo, &own, &common, input);
    if let Some(why) = flaws.into_iter().next() {
        return Ok(Err(format!("the refs of the repository: {why}")));
    }
    let hidden: Vec<ObjectId> =
        held.into_iter().chain(tips.iter().copied().filter(|tip| repo.has_object(*tip))).collect();
    let mut found = heads(repo, &named, &hidden)?;
    let hidden: Vec<ObjectId> = hidden.into_iter().chain(found.iter().copied()).collect();
    let forgotten = heads(repo, &logged, &hidden)?;
    match forgotten[..] {
        [] => {}
        [one] => found.push(one),
        [one, ..] => {
            let tree = base::root(repo, one).map_err(|why| fault::strange(&input.common, &why))?;
            let text = format!("Keep what only the reflog of worktree {} remembered", input.id);
            found.push(Make { repo, tip: one }.commit(tree, forgotten, text)?);
        }
    }
    if !found.is_empty() {
        durable::sync(repo, input.base, &found)?;
    }
    Ok(Ok(found))
}

/// What git has put away, and what the refs name that belong to this worktree alone.
fn named(own: &Dir, input: &Input, hash: Kind) -> std::result::Result<Vec<ObjectId>, String> {
    let mut found = files(own, &PUT_AWAY, hash)?;
    // The refs of a view were taken with its history.
    if input.git == GitAccess::Direct && own.stat(b"refs").is_ok() {
        let (refs, flaws) = Refs { own, common: own, hash }.all();
        if let Some(flaw) = flaws.into_iter().next() {
            return Err(flaw);
        }
        found.extend(refs.into_values());
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn files(own: &Dir, names: &[&str], hash: Kind) -> std::result::Result<Vec<ObjectId>, String> {
    let mut found = Vec::new();
    for name in names {
        match own.read(name.as_bytes(), limits::REF_BYTES) {
            Ok(text) => {
                let ids = text.split(|b| *b == b'\n').filter_map(|line| ObjectId::from_hex(line.trim_ascii()).ok());
                found.extend(ids.filter(|id| !id.is_null() && id.kind() == hash));
            }
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(e) => return Err(format!("{name} {e}")),
        }
    }
    Ok(found)
}

/// Those of these commits that neither one of the others nor what is `hidden` reaches.
fn heads(repo: &gix::Repository, commits: &[ObjectId], hidden: &[ObjectId]) -> Result<Vec<ObjectId>> {
    let found = beyond(repo, commits, hidden)?;
    let mut inner = HashSet::new();
    for id in &found {
        let commit = repo.find_commit(*id).map_err(fault::git("read a commit"))?;
        inner.extend(commit.parent_ids().map(gix::Id::detach));
    }
    let mut heads: Vec<ObjectId> = found.into_iter().filter(|id| commits.contains(id) && !inner.contains(id)).collect();
    heads.sort_unstable();
    Ok(heads)
}
