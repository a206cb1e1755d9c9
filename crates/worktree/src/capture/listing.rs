//! A tree as a flat list of paths.

use std::collections::BTreeMap;

use gix::ObjectId;
use gix::bstr::BString;
use gix::objs::tree::EntryKind;
use gix::objs::{Tree, TreeRefIter, Write, tree};

use super::{fault, limits};
use crate::Result;

/// What a path holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) kind: EntryKind,
    pub(super) id: ObjectId,
}

/// Every file, symlink and submodule of a tree.
pub(super) type Listing = BTreeMap<BString, Item>;

/// Lists the tree of a commit; in words why it cannot be listed.
pub(super) fn of_commit(repo: &gix::Repository, commit: ObjectId) -> std::result::Result<Listing, String> {
    let commit = repo.find_commit(commit).map_err(|e| e.to_string())?;
    let tree = commit.tree_id().map_err(|e| e.to_string())?.detach();
    of_tree(repo, tree)
}

fn of_tree(repo: &gix::Repository, root: ObjectId) -> std::result::Result<Listing, String> {
    let mut listing = Listing::new();
    let mut waiting = vec![(BString::default(), root)];
    let mut bytes = 0;
    while let Some((prefix, id)) = waiting.pop() {
        let object = repo.find_object(id).map_err(|e| e.to_string())?;
        for entry in TreeRefIter::from_bytes(&object.data, repo.object_hash()) {
            let entry = entry.map_err(|e| format!("tree {id}: {e}"))?;
            let mut path = prefix.clone();
            path.extend_from_slice(entry.filename);
            bytes += path.len();
            if path.len() > limits::PATH_BYTES || bytes > limits::ALL_PATH_BYTES {
                return Err("its paths are too long".into());
            }
            if entry.mode.is_tree() {
                path.push(b'/');
                waiting.push((path, entry.oid.to_owned()));
            } else {
                listing.insert(path, Item { kind: entry.mode.kind(), id: entry.oid.to_owned() });
            }
            if listing.len() + waiting.len() > limits::PATHS {
                return Err("its tree has too many paths".into());
            }
        }
    }
    Ok(listing)
}

/// How many paths differ between two trees.
pub(super) fn differences(a: &Listing, b: &Listing) -> usize {
    let changed = a.iter().filter(|(path, item)| b.get(*path) != Some(item)).count();
    changed + b.keys().filter(|path| !a.contains_key(*path)).count()
}

/// Whether some path lies in this directory.
pub(super) fn has_below(listing: &Listing, dir: &[u8]) -> bool {
    let mut prefix = BString::from(dir);
    prefix.push(b'/');
    listing.range(prefix.clone()..).next().is_some_and(|(path, _)| path.starts_with(&prefix))
}

/// Writes the tree objects of a listing, and returns the id of the root.
pub(super) fn write(repo: &gix::Repository, listing: &Listing) -> Result<ObjectId> {
    let mut open: Vec<(BString, Tree)> = vec![(BString::default(), Tree::empty())];
    for (path, item) in listing {
        while !path.starts_with(&open[open.len() - 1].0) {
            close(repo, &mut open)?;
        }
        let mut start = open[open.len() - 1].0.len();
        while let Some(at) = path[start..].iter().position(|b| *b == b'/') {
            start += at + 1;
            open.push((path[..start].into(), Tree::empty()));
        }
        let entry = tree::Entry { mode: item.kind.into(), filename: path[start..].into(), oid: item.id };
        if let Some((_, innermost)) = open.last_mut() {
            innermost.entries.push(entry);
        }
    }
    while open.len() > 1 {
        close(repo, &mut open)?;
    }
    let root = open.pop().map(|(_, tree)| tree).unwrap_or_else(Tree::empty);
    store(repo, root)
}

/// Writes the innermost open directory and enters it into the one around it.
fn close(repo: &gix::Repository, open: &mut Vec<(BString, Tree)>) -> Result<()> {
    let Some((path, tree)) = open.pop() else { return Ok(()) };
    let oid = store(repo, tree)?;
    if let Some((outer, around)) = open.last_mut() {
        let filename = path[outer.len()..path.len() - 1].into();
        around.entries.push(tree::Entry { mode: EntryKind::Tree.into(), filename, oid });
    }
    Ok(())
}

fn store(repo: &gix::Repository, mut tree: Tree) -> Result<ObjectId> {
    tree.entries.sort();
    let mut data = Vec::new();
    gix::objs::WriteTo::write_to(&tree, &mut data).map_err(fault::git("encode a tree"))?;
    put(repo, gix::objs::Kind::Tree, &data)
}

/// Writes an object unless the repository has it.
pub(super) fn put(repo: &gix::Repository, kind: gix::objs::Kind, data: &[u8]) -> Result<ObjectId> {
    let id = gix::objs::compute_hash(repo.object_hash(), kind, data).map_err(fault::git("hash an object"))?;
    if !repo.has_object(id) {
        repo.objects.write_buf(kind, data).map_err(fault::git("store an object"))?;
    }
    Ok(id)
}
