//! The paths in which two commits differ, found in a time that depends on their number.

use std::cmp::Ordering;

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice};
use gix::objs::tree::{EntryKind, EntryMode};

use super::scan::join;
use crate::Result;
use crate::capture::fault;

/// One path that is not the same in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) path: BString,
    /// What it is in the commit that is left.
    pub(super) before: Option<Item>,
    /// What it is in the commit that is wanted.
    pub(super) after: Option<Item>,
}

/// What a commit has at a path that is no directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) mode: EntryMode,
    pub(super) id: ObjectId,
}

/// The differences; none if there are more than `most`.
pub(super) fn diff(
    repo: &gix::Repository,
    before: ObjectId,
    after: ObjectId,
    most: usize,
) -> Result<Option<Vec<Change>>> {
    let tree = |commit: ObjectId| {
        let fail = || fault::git(format!("read commit {commit}"));
        Ok(repo.find_commit(commit).map_err(fail())?.tree_id().map_err(fail())?.detach())
    };
    let mut diff = Diff { repo, most, found: Vec::new() };
    let (before, after) = (tree(before)?, tree(after)?);
    let within = before == after || diff.trees(Some(before), Some(after), BStr::new(b""))?;
    Ok(within.then_some(diff.found))
}

struct Diff<'a> {
    repo: &'a gix::Repository,
    most: usize,
    found: Vec<Change>,
}

type Named = (BString, Item);

impl Diff<'_> {
    /// Compares two trees, and says whether there are no more differences than allowed.
    fn trees(&mut self, before: Option<ObjectId>, after: Option<ObjectId>, at: &BStr) -> Result<bool> {
        let (before, after) = (self.entries(before)?, self.entries(after)?);
        let (mut before, mut after) = (before.into_iter().peekable(), after.into_iter().peekable());
        loop {
            let order = match (before.peek(), after.peek()) {
                (None, None) => return Ok(true),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((a, _)), Some((b, _))) => a.cmp(b),
            };
            let old = before.next_if(|_| order.is_le());
            let new = after.next_if(|_| order.is_ge());
            let Some((name, _)) = old.as_ref().or(new.as_ref()) else { return Ok(true) };
            let path = join(at, name);
            if !self.entry(&path, old.map(|(_, item)| item), new.map(|(_, item)| item))? {
                return Ok(false);
            }
        }
    }

    fn entry(&mut self, path: &BString, before: Option<Item>, after: Option<Item>) -> Result<bool> {
        if before == after {
            return Ok(true);
        }
        let tree = |item: Option<Item>| item.filter(|item| item.mode.is_tree()).map(|item| item.id);
        let leaf = |item: Option<Item>| item.filter(|item| !item.mode.is_tree());
        let (old, new) = (tree(before), tree(after));
        if (old.is_some() || new.is_some()) && !self.trees(old, new, path.as_bstr())? {
            return Ok(false);
        }
        let (before, after) = (leaf(before), leaf(after));
        if before.is_some() || after.is_some() {
            self.found.push(Change { path: path.clone(), before, after });
        }
        Ok(self.found.len() <= self.most)
    }

    /// The entries of a tree in the order of their names alone, in which a file meets a directory of the same name.
    fn entries(&self, tree: Option<ObjectId>) -> Result<Vec<Named>> {
        let Some(tree) = tree else { return Ok(Vec::new()) };
        let fail = || fault::git(format!("read tree {tree}"));
        let found = self.repo.find_tree(tree).map_err(fail())?;
        let decoded = found.decode().map_err(fail())?;
        let named = |entry: &gix::objs::tree::EntryRef<'_>| {
            // Old trees have modes that git reads as one of these.
            let mode = EntryKind::from(entry.mode).into();
            (entry.filename.to_owned(), Item { mode, id: entry.oid.to_owned() })
        };
        let mut entries: Vec<_> = decoded.entries.iter().map(named).collect();
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(entries)
    }
}
