//! Makes a tree out of another one and some changes, reading and writing only the directories on the way to them.

use std::collections::BTreeMap;

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};
use gix::objs::tree::EntryKind;
use gix::objs::{Kind, Tree, TreeRefIter, Write, tree};

use super::base::Item;
use super::tree::Changes;
use super::{fault, freshen};
use crate::Result;

/// Writes the tree that `root` becomes by these changes, and returns its id.
pub(super) fn edit(repo: &gix::Repository, root: ObjectId, changes: &Changes) -> Result<ObjectId> {
    let changes: Vec<_> = changes.iter().map(|(path, item)| (path.as_slice(), *item)).collect();
    match directory(repo, Some(root), &changes)? {
        Some(tree) => Ok(tree),
        None => store(repo, Tree::empty()),
    }
}

/// A path below some directory, and what it shall hold.
type Change<'a> = (&'a [u8], Option<Item>);

/// The tree of one directory, or none when nothing is left in it. The paths are relative to it, and in order.
fn directory(repo: &gix::Repository, before: Option<ObjectId>, changes: &[Change<'_>]) -> Result<Option<ObjectId>> {
    let mut entries = match before {
        Some(_) if changes.is_empty() => return Ok(before),
        Some(id) => read(repo, id)?,
        None => BTreeMap::new(),
    };
    let mut below: BTreeMap<&[u8], Vec<Change<'_>>> = BTreeMap::new();
    for (path, item) in changes {
        match path.find_byte(b'/') {
            Some(at) => below.entry(&path[..at]).or_default().push((&path[at + 1..], *item)),
            None => match item {
                Some(item) => drop(entries.insert((*path).into(), (item.kind, item.id))),
                // Where a directory comes instead, it is entered below.
                None => drop(entries.remove(path.as_bstr())),
            },
        }
    }
    for (name, changes) in below {
        let before = entries.get(name.as_bstr()).filter(|(kind, _)| *kind == EntryKind::Tree).map(|(_, id)| *id);
        match directory(repo, before, &changes)? {
            Some(id) => drop(entries.insert(name.into(), (EntryKind::Tree, id))),
            None if before.is_some() => drop(entries.remove(name.as_bstr())),
            None => {}
        }
    }
    if entries.is_empty() {
        return Ok(None);
    }
    let entry = |(filename, (kind, oid)): (_, (EntryKind, _))| tree::Entry { mode: kind.into(), filename, oid };
    store(repo, Tree { entries: entries.into_iter().map(entry).collect() }).map(Some)
}

/// What a tree object names, by name.
pub(super) fn read(repo: &gix::Repository, id: ObjectId) -> Result<BTreeMap<BString, (EntryKind, ObjectId)>> {
    let action = || fault::git(format!("read tree {id}"));
    let object = repo.find_object(id).map_err(action())?;
    let mut found = BTreeMap::new();
    for entry in TreeRefIter::from_bytes(&object.data, repo.object_hash()) {
        let entry = entry.map_err(action())?;
        found.insert(entry.filename.to_owned(), (entry.mode.kind(), entry.oid.to_owned()));
    }
    Ok(found)
}

fn store(repo: &gix::Repository, mut tree: Tree) -> Result<ObjectId> {
    tree.entries.sort();
    let mut data = Vec::new();
    gix::objs::WriteTo::write_to(&tree, &mut data).map_err(fault::git("encode a tree"))?;
    put(repo, Kind::Tree, &data)
}

/// Writes an object unless the repository has it.
pub(super) fn put(repo: &gix::Repository, kind: Kind, data: &[u8]) -> Result<ObjectId> {
    let id = gix::objs::compute_hash(repo.object_hash(), kind, data).map_err(fault::git("hash an object"))?;
    // The library knows the empty tree by heart, and claims to have it whether it is there or not.
    if id.is_empty_tree() || !freshen::has(repo, id) {
        stored("store an object", || repo.objects.write_buf(kind, data))?;
    }
    Ok(id)
}

/// Stores an object, and again when the directory that it belongs into has gone at the same moment: the library makes it
/// and then moves the object there, and a `git gc` removes empty ones.
pub(super) fn stored<T, E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    action: &'static str,
    mut write: impl FnMut() -> std::result::Result<T, E>,
) -> Result<T> {
    const TRIES: usize = 16;
    for _ in 1..TRIES {
        match write().map_err(Into::into) {
            Err(e) if is_missing(&*e) => {}
            done => return done.map_err(fault::git(action)),
        }
    }
    write().map_err(fault::git(action))
}

fn is_missing(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.any(|e| e.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound))
}
