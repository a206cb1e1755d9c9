//! The tree that a worktree was made from, by the index that was saved when it was made.
//!
//! That index names every file of the base in order. So neither the base's trees have to be read nor a list be made of
//! them, and what a tree has is kept as what it has other than the base.

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;

use gix::ObjectId;
use gix::bstr::{BStr, ByteSlice};
use gix::objs::tree::EntryKind;
use rustix::fs::Stat;

use super::cache::Cache;
use super::verify::{self, Settings};

/// What a path holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) kind: EntryKind,
    pub(super) id: ObjectId,
}

/// All paths of the base, in order.
#[derive(Debug)]
pub(super) struct Base {
    /// Its root tree.
    root: ObjectId,
    index: Cache,
    /// What git reads of it, as soon as somebody asks: a tree may have a file to ask for in every directory.
    read: OnceLock<HashSet<(ObjectId, Settings)>>,
}

impl Base {
    /// Reads the saved index, or the trees of the commit where there is none that could be used; in words why not.
    pub(super) fn open(repo: &gix::Repository, commit: ObjectId, index: &Path) -> Result<Self, String> {
        let root = root(repo, commit)?;
        let saved = Cache::open(repo, index).filter(Cache::is_plain);
        let index = match saved {
            Some(index) => index,
            None => Cache::of_tree(repo, root)?,
        };
        Ok(Self { root, index, read: OnceLock::new() })
    }

    /// The root tree.
    pub(super) fn root(&self) -> ObjectId {
        self.root
    }

    /// The entries as an index of git.
    pub(super) fn index(&self) -> &Cache {
        &self.index
    }

    /// How many paths there are.
    pub(super) fn len(&self) -> usize {
        self.index.state().entries().len()
    }

    /// The path at this position, and what it holds.
    pub(super) fn at(&self, position: usize) -> (&BStr, Item) {
        let state = self.index.state();
        let entry = &state.entries()[position];
        let kind = entry.mode.to_tree_entry_mode().map_or(EntryKind::Blob, |mode| mode.kind());
        (entry.path(state), Item { kind, id: entry.id })
    }

    /// What this path holds.
    pub(super) fn get(&self, path: &BStr) -> Option<Item> {
        self.find(path, 0..self.len()).map(|position| self.at(position).1)
    }

    /// The position of a path that would be in this range.
    pub(super) fn find(&self, path: &BStr, within: Range<usize>) -> Option<usize> {
        self.find_in(0, path, within)
    }

    /// As [`find`](Self::find), where all paths in the range are as long as `dir` at least and alike so far, as those below
    /// one directory are.
    pub(super) fn find_in(&self, dir: usize, path: &BStr, within: Range<usize>) -> Option<usize> {
        let (state, name) = (self.index.state(), &path[dir..]);
        let at = state.entries()[within.clone()].binary_search_by(|entry| entry.path(state)[dir..].cmp(name)).ok()?;
        Some(within.start + at)
    }

    /// The positions of all that lies below this directory, whose own range is `within`. The path ends with a slash.
    pub(super) fn below(&self, dir: &[u8], within: Range<usize>) -> Range<usize> {
        let state = self.index.state();
        let entries = &state.entries()[within.clone()];
        let start = entries.partition_point(|entry| entry.path(state).as_bytes() < dir);
        let count = entries[start..].partition_point(|entry| entry.path(state).starts_with(dir));
        within.start + start..within.start + start + count
    }

    /// Whether the file at this position is as it was checked out.
    pub(super) fn unchanged(&self, position: usize, stat: &Stat) -> bool {
        self.index.is_unchanged(&self.index.state().entries()[position], stat)
    }

    /// Whether git reads this object as such a file.
    pub(super) fn reads(&self, id: ObjectId, settings: Settings) -> bool {
        self.read.get_or_init(|| read_in(self.index.state())).contains(&(id, settings))
    }
}

/// What git reads of these files.
fn read_in(files: &gix::index::State) -> HashSet<(ObjectId, Settings)> {
    let name = |entry: &gix::index::Entry| verify::settings(entry.path(files).rsplit(|b| *b == b'/').next()?);
    files.entries().iter().filter_map(|entry| Some((entry.id, name(entry)?))).collect()
}

/// Whether git reads this object as such a file in the tree of a commit. What cannot be told is not so.
pub(super) fn reads(repo: &gix::Repository, commit: ObjectId, id: ObjectId, settings: Settings) -> bool {
    let Some(files) = root(repo, commit).ok().and_then(|root| repo.index_from_tree(&root).ok()) else { return false };
    read_in(&files).contains(&(id, settings))
}

/// The root tree of a commit; in words why it cannot be read.
pub(super) fn root(repo: &gix::Repository, commit: ObjectId) -> Result<ObjectId, String> {
    let commit = repo.find_commit(commit).map_err(|e| e.to_string())?;
    Ok(commit.tree_id().map_err(|e| e.to_string())?.detach())
}
