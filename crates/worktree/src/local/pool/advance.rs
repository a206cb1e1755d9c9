//! Brings a tree from one commit to another by touching nothing but the paths in which they differ.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::ErrorKind;
use std::path::Path;

use gix::bstr::{BStr, BString, ByteSlice};
use gix::index::entry::{Flags, Mode, Stat};
use rustix::fs::{AtFlags, unlinkat};

use super::diff::{Change, Item};
use super::mode::{Fresh, is_dir};
use super::reset::split;
use super::scan::untouched;
use super::write::Writing;
use crate::capture::beneath::Dir;
use crate::capture::fault;
use crate::local::{encoding, sparse};
use crate::{Result, Sparse};

/// The steps from one commit to another.
pub(super) struct Plan {
    index: gix::index::File,
    /// Files and places of submodules to delete, some only to be written again.
    remove: Vec<(BString, AtFlags)>,
    write: HashSet<BString>,
    /// How many of the removed paths do not come back.
    gone: usize,
}

/// How much was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) written: usize,
    pub(super) deleted: usize,
}

/// The most paths that it pays to write one by one into a tree of so many files.
pub(super) fn most(files: usize) -> usize {
    (files / 2).max(1000)
}

impl Plan {
    /// Works out the steps, and looks whether each of the paths is as the index says. None if there are too many.
    ///
    /// Nothing is changed. An error means that the tree is not what it is taken for, or that the wanted commit cannot be
    /// written at all.
    pub(super) fn new(
        repo: &gix::Repository,
        index: gix::index::File,
        changes: Vec<Change>,
        root: &Dir,
        fresh: &Fresh,
    ) -> Result<Option<Self>> {
        let most = most(index.entries().len());
        let changes = with_attributes(&index, changes);
        if changes.len() > most {
            return Ok(None);
        }
        let mut plan = Self { index, remove: Vec::new(), write: HashSet::new(), gone: 0 };
        let leaving: HashSet<&BStr> =
            changes.iter().filter(|change| change.before.is_some()).map(|change| change.path.as_bstr()).collect();
        for change in &changes {
            plan.look_at(change, &leaving, root, fresh)?;
        }
        update(&mut plan.index, &changes);
        encoding::check(repo, &plan.index)?;
        sparse::leave_out(repo, &mut plan.index, &Sparse::Inherit)?;
        let comes = |change: &&Change| change.after.is_some();
        plan.write = changes.iter().filter(comes).map(|change| change.path.clone()).collect();
        Ok(Some(plan))
    }

    fn look_at(&mut self, change: &Change, leaving: &HashSet<&BStr>, root: &Dir, fresh: &Fresh) -> Result<()> {
        let path = change.path.as_bstr();
        let strange = |problem: &str| fault::strange(&root.path().join(path.to_path_lossy()), problem);
        let (dir, name) = split(path);
        let found = root.dir(dir).and_then(|dir| dir.stat(name).map(|stat| (dir, stat)));
        let found = match found {
            Ok(found) => Some(found),
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            // A file that leaves for a directory.
            Err(_) if parents(path).any(|parent| leaving.contains(parent)) => None,
            Err(e) => return Err(fault::io("look at", root.path().join(path.to_path_lossy()))(e)),
        };
        let Some(before) = change.before else {
            return match found {
                None => Ok(()),
                // A directory that leaves for a file.
                Some((_, stat)) if is_dir(&stat) && self.index.path_is_directory(path) => Ok(()),
                Some(_) => Err(strange("it is in the way of a file of the wanted commit")),
            };
        };
        let entry = self.index.entry_by_path(path).filter(|entry| is(entry, before));
        let entry = entry.ok_or_else(|| strange("the index of the slot does not have it as its commit has"))?;
        let flags = match (entry.mode, &found) {
            _ if entry.flags.contains(Flags::SKIP_WORKTREE) => None,
            (Mode::COMMIT, None) => None,
            (Mode::COMMIT, Some((_, stat))) if is_dir(stat) => Some(AtFlags::REMOVEDIR),
            (_, Some((_, stat))) if untouched(&self.index, fresh, entry, stat) => Some(AtFlags::empty()),
            _ => return Err(strange("somebody wrote to it")),
        };
        if let Some(flags) = flags {
            self.remove.push((change.path.clone(), flags));
            self.gone += usize::from(change.after.is_none());
        }
        Ok(())
    }

    /// Carries the steps out in the tree at `root`, and returns the index that describes the result.
    pub(super) fn carry_out(mut self, writing: &Writing<'_>, root: &Path) -> Result<(gix::index::File, Work)> {
        let dir = Dir::open(root).map_err(fault::io("open", root))?;
        let mut emptied = BTreeSet::new();
        for (path, flags) in &self.remove {
            let (parent, name) = split(path.as_bstr());
            let parent =
                dir.dir(parent).map_err(fault::io("open the directory of", root.join(path.to_path_lossy())))?;
            let name = std::os::unix::ffi::OsStrExt::from_bytes(name);
            let name: &std::ffi::OsStr = name;
            unlinkat(parent.fd(), name, *flags).map_err(fault::io("delete", root.join(path.to_path_lossy())))?;
            emptied.extend(parents(path.as_bstr()).map(BStr::to_owned));
        }
        // The deepest first: a directory sorts before those in it.
        for path in emptied.iter().rev() {
            let (parent, name) = split(path.as_bstr());
            let name: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(name);
            // What still has something in it stays.
            let _ = dir.dir(parent).map(|parent| unlinkat(parent.fd(), name, AtFlags::REMOVEDIR));
        }
        writing.write(&mut self.index, root, &self.write)?;
        Ok((self.index, Work { written: self.write.len(), deleted: self.gone }))
    }
}

/// The directories above a path.
fn parents(path: &BStr) -> impl Iterator<Item = &BStr> {
    path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| path[..at].as_bstr())
}

fn is(entry: &gix::index::Entry, item: Item) -> bool {
    entry.id == item.id && entry.mode == mode(item)
}

fn mode(item: Item) -> Mode {
    Mode::from(item.mode)
}

/// Files whose attributes may have changed are written anew, although their content did not change.
fn with_attributes(index: &gix::index::File, mut changes: Vec<Change>) -> Vec<Change> {
    let changed: HashSet<BString> = changes.iter().map(|change| change.path.clone()).collect();
    let mut again = HashMap::new();
    for path in changed.iter().filter(|path| split(path.as_bstr()).1 == b".gitattributes") {
        let prefix = &path[..path.len() - b".gitattributes".len()];
        for entry in index.prefixed_entries(prefix.as_bstr()).unwrap_or_default() {
            let path = entry.path(index);
            let Some(mode) = entry.mode.to_tree_entry_mode() else { continue };
            if matches!(entry.mode, Mode::FILE | Mode::FILE_EXECUTABLE) && !changed.contains(path) {
                again.insert(path.to_owned(), Item { mode, id: entry.id });
            }
        }
    }
    let again = again.into_iter().map(|(path, item)| Change { path, before: Some(item), after: Some(item) });
    changes.extend(again);
    changes
}

/// Makes the entries of the index those of the wanted commit.
fn update(index: &mut gix::index::File, changes: &[Change]) {
    let changed: HashSet<&BStr> = changes.iter().map(|change| change.path.as_bstr()).collect();
    index.remove_entries(|_, path, _| changed.contains(path));
    for change in changes {
        if let Some(after) = change.after {
            let (stat, flags) = (Stat::default(), Flags::empty());
            index.dangerously_push_entry(stat, after.id, flags, mode(after), change.path.as_bstr());
        }
    }
    index.sort_entries();
    // What git keeps about whole directories no longer holds.
    index.remove_tree();
}
