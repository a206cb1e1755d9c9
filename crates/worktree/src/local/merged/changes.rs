//! Which paths differ between two trees, without looking at what is the same in both.

use gix::ObjectId;

use crate::capture::differ::{self, entries};

pub(super) use crate::capture::differ::{Change, Item};

/// The most paths of one change; a larger one is not compared.
const MOST: usize = 100_000;

/// What differs between two trees, sorted by path; none is an empty tree. In words why it cannot be told.
pub(super) fn between(
    repo: &gix::Repository,
    old: Option<ObjectId>,
    new: Option<ObjectId>,
) -> Result<Vec<Change>, String> {
    differ::between(repo, old, new, MOST).map_err(|unknown| unknown.to_string())
}

/// The tree of a commit, none for none.
pub(super) fn tree_of(repo: &gix::Repository, commit: Option<ObjectId>) -> Result<Option<ObjectId>, String> {
    let Some(commit) = commit else { return Ok(None) };
    let commit = repo.find_commit(commit).map_err(|e| e.to_string())?;
    Ok(Some(commit.tree_id().map_err(|e| e.to_string())?.detach()))
}

/// What this path holds in the tree of the root, if anything.
pub(super) fn at(repo: &gix::Repository, root: ObjectId, path: &[u8]) -> Result<Option<Item>, String> {
    let mut tree = root;
    let mut parts = path.split(|b| *b == b'/').peekable();
    while let Some(part) = parts.next() {
        let found = entries(repo, Some(tree))?.into_iter().find(|(name, _)| name == part);
        match found {
            Some((_, item)) if parts.peek().is_none() => return Ok(Some(item)),
            Some((_, item)) if item.mode.is_tree() => tree = item.id,
            _ => return Ok(None),
        }
    }
    Ok(None)
}
