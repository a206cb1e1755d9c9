//! What git would forget together with an entry: whatever cannot be told counts.

use std::path::Path;

use gix::ObjectId;

use super::super::scan::{Head, parse_head};
use super::super::{base, refs};
use super::facts::Facts;
use crate::{capture, disk};

/// How many commits are walked to find those of a reflog.
const MOST_COMMITS: usize = 100_000;

/// What only this entry holds, in words; none when that is provably nothing but the commit of its `HEAD`.
pub(super) fn only_in(repo: Option<&gix::Repository>, facts: &Facts) -> Option<String> {
    if !facts.more.is_empty() {
        let names: Vec<_> = facts.more.iter().map(|name| name.to_string_lossy()).collect();
        return Some(format!("it holds {}", names.join(", ")));
    }
    let Some(repo) = repo else { return Some("the repository cannot be read".into()) };
    let head = head(repo, facts);
    if facts.index.is_some() && !head.is_some_and(|head| describes(repo, &facts.dir, head)) {
        return Some("its index may hold staged changes".into());
    }
    let logged = logged(&facts.dir);
    if !logged.is_empty() && !head.is_some_and(|head| contains(repo, head, logged)) {
        return Some("its reflog names commits that nothing else may name".into());
    }
    None
}

/// The commit that its `HEAD` leads to.
pub(super) fn head(repo: &gix::Repository, facts: &Facts) -> Option<ObjectId> {
    let id = match parse_head(facts.head.text()?)? {
        Head::Branch(name) => refs::branch_tip(repo, &name).ok()??,
        Head::Commit(id) => base::object_id(&id).ok()?,
    };
    repo.find_commit(id).is_ok().then_some(id)
}

/// The commit that its reflog names last, if it is there.
pub(super) fn last_logged(repo: &gix::Repository, dir: &Path) -> Option<ObjectId> {
    let id = logged(dir).pop().filter(|id| id.kind() == repo.object_hash())?;
    repo.find_commit(id).is_ok().then_some(id)
}

/// All commits that its reflog says it came to, oldest first.
fn logged(dir: &Path) -> Vec<ObjectId> {
    let text = disk::read_small(&dir.join("logs/HEAD")).unwrap_or_default();
    let ids =
        text.split(|b| *b == b'\n').filter_map(|line| ObjectId::from_hex(line.split(|b| *b == b' ').nth(1)?).ok());
    ids.filter(|id| !id.is_null()).collect()
}

/// Whether the index says exactly what the tree of this commit says.
fn describes(repo: &gix::Repository, dir: &Path, commit: ObjectId) -> bool {
    let tree = repo.find_commit(commit).ok().and_then(|commit| Some(commit.tree_id().ok()?.detach()));
    let expected = tree.and_then(|tree| repo.index_from_tree(&tree).ok());
    expected.is_some_and(|expected| capture::index_says(dir, &expected))
}

/// Whether all of these are the tip or its ancestors.
fn contains(repo: &gix::Repository, tip: ObjectId, wanted: Vec<ObjectId>) -> bool {
    let mut missing: std::collections::HashSet<_> = wanted.into_iter().collect();
    missing.remove(&tip);
    if missing.is_empty() {
        return true;
    }
    let Ok(walk) = repo.rev_walk([tip]).all() else { return false };
    walk.take(MOST_COMMITS).map_while(Result::ok).any(|commit| missing.remove(&commit.id) && missing.is_empty())
}
