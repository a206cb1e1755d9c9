//! A tree as what it has other than the base.

use std::collections::BTreeMap;

use gix::ObjectId;
use gix::bstr::{BStr, BString};

use super::base::{Base, Item};
use super::edit;
use crate::Result;

/// What paths hold that hold something else in the base; none for those that are gone.
pub(super) type Changes = BTreeMap<BString, Option<Item>>;

/// One tree.
#[derive(Clone, Debug)]
pub(super) struct Tree<'a> {
    base: &'a Base,
    changes: Changes,
}

impl<'a> Tree<'a> {
    /// The base itself, with these changes.
    pub(super) fn new(base: &'a Base, changes: Changes) -> Self {
        Self { base, changes }
    }

    pub(super) fn base(&self) -> &'a Base {
        self.base
    }

    pub(super) fn changes(&self) -> &Changes {
        &self.changes
    }

    /// What a path holds.
    pub(super) fn get(&self, path: &BStr) -> Option<Item> {
        match self.changes.get(path) {
            Some(changed) => *changed,
            None => self.base.get(path),
        }
    }

    /// Whether some path lies in this directory.
    pub(super) fn has_below(&self, dir: &[u8]) -> bool {
        let prefix = with_slash(dir);
        let mut changed = self.changes.range(prefix.clone()..).take_while(|(path, _)| path.starts_with(&prefix));
        if changed.any(|(_, item)| item.is_some()) {
            return true;
        }
        let mut positions = self.base.below(&prefix, 0..self.base.len());
        positions.any(|position| !self.changes.contains_key(self.base.at(position).0))
    }

    /// The path itself and all below it, with what they hold.
    pub(super) fn at_or_below(&self, path: &BStr) -> Vec<(BString, Item)> {
        let prefix = with_slash(path);
        let positions = self.base.below(&prefix, 0..self.base.len());
        let here = self.base.find(path, 0..self.base.len());
        let unchanged = here.into_iter().chain(positions).map(|position| self.base.at(position));
        let unchanged = unchanged.filter(|(path, _)| !self.changes.contains_key(*path));
        let mut found: Vec<_> = unchanged.map(|(path, item)| (path.to_owned(), item)).collect();
        let changed = self.changes.range(prefix.clone()..).take_while(|(path, _)| path.starts_with(&prefix));
        let changed = self.changes.get_key_value(path).into_iter().chain(changed);
        found.extend(changed.filter_map(|(path, item)| Some((path.clone(), (*item)?))));
        found
    }

    /// Has the path hold this, or nothing.
    pub(super) fn set(&mut self, path: BString, item: Option<Item>) {
        if self.base.get(path.as_ref()) == item {
            self.changes.remove(&path);
        } else {
            self.changes.insert(path, item);
        }
    }

    /// Writes its tree objects, and returns the id of the root.
    pub(super) fn write(&self, repo: &gix::Repository) -> Result<ObjectId> {
        edit::edit(repo, self.base.root(), &self.changes)
    }
}

/// The path of a directory as everything below it begins.
pub(super) fn with_slash(dir: &[u8]) -> BString {
    let mut prefix = BString::from(dir);
    prefix.push(b'/');
    prefix
}
