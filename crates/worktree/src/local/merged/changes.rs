//! Which paths differ between two trees, without looking at what is the same in both.

use std::collections::BTreeMap;

use gix::ObjectId;
use gix::bstr::BString;
use gix::objs::TreeRefIter;
use gix::objs::tree::{EntryKind, EntryMode};

/// The most paths of one change; a larger one is not compared.
const MOST: usize = 100_000;

/// What a path holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) mode: EntryMode,
    pub(super) id: ObjectId,
}

/// One path of which something changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) path: BString,
    pub(super) old: Option<Item>,
    pub(super) new: Option<Item>,
}

/// What differs between two trees, sorted by path; none is an empty tree. In words why it cannot be told.
pub(super) fn between(
    repo: &gix::Repository,
    old: Option<ObjectId>,
    new: Option<ObjectId>,
) -> Result<Vec<Change>, String> {
    let mut found = Vec::new();
    let mut waiting = vec![(BString::default(), old, new)];
    while let Some((prefix, old, new)) = waiting.pop() {
        if old == new {
            continue;
        }
        let mut both: BTreeMap<BString, [Option<Item>; 2]> = BTreeMap::new();
        for (side, tree) in [old, new].into_iter().enumerate() {
            for (name, item) in entries(repo, tree)? {
                both.entry(name).or_default()[side] = Some(item);
            }
        }
        for (name, [old, new]) in both {
            if old == new {
                continue;
            }
            let mut path = prefix.clone();
            path.extend_from_slice(&name);
            let tree = |item: Option<Item>| item.filter(|item| item.mode.is_tree()).map(|item| item.id);
            let file = |item: Option<Item>| item.filter(|item| !item.mode.is_tree());
            if tree(old).is_some() || tree(new).is_some() {
                let mut below = path.clone();
                below.push(b'/');
                waiting.push((below, tree(old), tree(new)));
            }
            if file(old).is_some() || file(new).is_some() {
                found.push(Change { path, old: file(old), new: file(new) });
            }
        }
        if found.len() + waiting.len() > MOST {
            return Err(format!("more than {MOST} paths differ"));
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
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

fn entries(repo: &gix::Repository, tree: Option<ObjectId>) -> Result<Vec<(BString, Item)>, String> {
    let Some(tree) = tree else { return Ok(Vec::new()) };
    let object = repo.find_object(tree).map_err(|e| e.to_string())?;
    let read = |entry: Result<gix::objs::tree::EntryRef<'_>, _>| match entry {
        Ok(entry) => {
            // Old trees may hold modes such as 100664, which mean the same.
            let mode = EntryKind::from(entry.mode).into();
            Ok((entry.filename.to_owned(), Item { mode, id: entry.oid.to_owned() }))
        }
        Err(e) => Err(format!("tree {tree}: {e}")),
    };
    TreeRefIter::from_bytes(&object.data, repo.object_hash()).map(read).collect()
}
