//! Makes what was stored last.
//!
//! A few objects are flushed one by one. That takes a moment, where flushing the file system waits for everything that
//! anybody is writing to it, a build beside us or a tree that was just checked out.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use gix::ObjectId;

use super::{fault, limits};
use crate::Result;
use crate::disk::{self, Batch};

/// How many objects are flushed one by one.
const FEW: usize = 96;
/// How many are looked for.
const MANY: usize = 1 << 20;

/// Makes the histories of these commits durable, as far as `base` does not contain them; it was there before.
pub(crate) fn sync(repo: &gix::Repository, base: ObjectId, tips: &[ObjectId]) -> Result<()> {
    let objects = repo.common_dir().join("objects");
    match fresh(repo, base, tips, FEW) {
        Some(ids) if ids.len() <= FEW => {
            one_by_one(&objects, &ids)?;
            // What was no file of its own must be in a pack: a garbage collection may have deleted it instead.
            match ids.iter().find(|id| !repo.has_object(id)) {
                Some(lost) => {
                    Err(fault::strange(&objects, &format!("object {lost} was deleted right after it was stored")))
                }
                None => Ok(()),
            }
        }
        _ => everything(&objects),
    }
}

/// Whether all is there that this commit adds to what `base` has. What cannot be told is not.
///
/// A partial clone lacks objects rightly, so of one only the commit is looked for; and after very many objects no more
/// are.
pub(crate) fn is_whole(repo: &gix::Repository, base: ObjectId, tip: ObjectId) -> bool {
    if is_partial(repo) {
        return repo.has_object(tip);
    }
    tip == base || fresh(repo, base, &[tip], MANY).is_some_and(|ids| ids.iter().all(|id| repo.has_object(id)))
}

fn is_partial(repo: &gix::Repository) -> bool {
    let config = repo.config_snapshot();
    let mut remotes = config.plumbing().sections_by_name("remote").into_iter().flatten();
    config.string("extensions.partialClone").is_some() || remotes.any(|section| section.contains_value_name("promisor"))
}

/// The objects that these commits add to what `base` has, or some more than `most` of them; none when it cannot be told.
fn fresh(repo: &gix::Repository, base: ObjectId, tips: &[ObjectId], most: usize) -> Option<BTreeSet<ObjectId>> {
    let mut found = BTreeSet::new();
    let walk = repo.rev_walk(tips.iter().copied()).with_hidden([base]).all().ok()?;
    for commit in walk {
        let commit = commit.ok()?.object().ok()?;
        found.insert(commit.id);
        let tree = commit.tree_id().ok()?.detach();
        let before = match commit.parent_ids().next() {
            // A shallow clone has commits without their parents.
            Some(parent) => repo.find_commit(parent).ok().and_then(|parent| Some(parent.tree_id().ok()?.detach())),
            None => None,
        };
        changed(repo, before, tree, most, limits::TREE_DEPTH, &mut found)?;
        if found.len() > most {
            break;
        }
    }
    Some(found)
}

/// Adds the objects of a tree that the tree before has not in the same place. One that is deeper than any that is
/// taken over cannot be told.
fn changed(
    repo: &gix::Repository,
    before: Option<ObjectId>,
    tree: ObjectId,
    most: usize,
    depth: usize,
    found: &mut BTreeSet<ObjectId>,
) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    if before == Some(tree) || !found.insert(tree) {
        return Some(());
    }
    let old = match before {
        Some(id) => Some(repo.find_tree(id).ok()?),
        None => None,
    };
    let old: HashMap<_, _> = match &old {
        Some(tree) => tree.decode().ok()?.entries.into_iter().map(|entry| (entry.filename, entry)).collect(),
        None => HashMap::new(),
    };
    let new = repo.find_tree(tree).ok()?;
    for entry in new.decode().ok()?.entries {
        let same_place = old.get(entry.filename).filter(|other| other.mode == entry.mode);
        if same_place.is_some_and(|other| other.oid == entry.oid) || entry.mode.is_commit() {
            continue;
        }
        if entry.mode.is_tree() {
            changed(repo, same_place.map(|other| other.oid.to_owned()), entry.oid.to_owned(), most, depth, found)?;
        } else {
            found.insert(entry.oid.to_owned());
        }
        if found.len() > most {
            break;
        }
    }
    Some(())
}

fn one_by_one(objects: &Path, ids: &BTreeSet<ObjectId>) -> Result<()> {
    let path = |id: &ObjectId| {
        let hex = id.to_string();
        objects.join(&hex[..2]).join(&hex[2..])
    };
    let files: Vec<PathBuf> = ids.iter().map(path).collect();
    together(&files)?;
    // Sorted, so that the files of one directory follow one another.
    let mut dirs: Vec<PathBuf> = files.iter().filter_map(|file| file.parent().map(Path::to_owned)).collect();
    dirs.dedup();
    dirs.push(objects.to_owned());
    together(&dirs)
}

/// Flushes them one after the other, all of them being on their way to the disk by then.
fn together(paths: &[PathBuf]) -> Result<()> {
    let mut batch = Batch::default();
    for path in paths {
        match disk::open(path) {
            Ok(file) => batch.add(path, file),
            // In a pack, which whoever packs makes durable.
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(fault::io("flush", path)(e)),
        }
    }
    batch.settle()
}

/// Flushes the whole file system.
fn everything(objects: &Path) -> Result<()> {
    let dir = File::open(objects).map_err(fault::io("open", objects))?;
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(&dir).map_err(fault::io("sync", objects))?;
    #[cfg(not(target_os = "linux"))]
    {
        drop(dir);
        rustix::fs::sync();
    }
    Ok(())
}
