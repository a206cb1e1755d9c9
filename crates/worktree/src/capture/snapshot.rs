//! What lies in the tree, as a tree of git.

use gix::bstr::{BStr, BString, ByteSlice};
use gix::glob::pattern::Case;
use gix::objs::tree::EntryKind;
use rustix::fs::{FileType, Stat};

use super::beneath::{self, Dir};
use super::cache::Cache;
use super::convert::Converter;
use super::files::{self, Stored};
use super::ignore::Ignore;
use super::listing::{self, Item, Listing};
use super::notices::Notices;
use super::{Input, walk};
use crate::{Notice, Result};

/// Takes snapshots of one tree.
#[derive(Debug)]
pub(super) struct Snapshot<'a> {
    repo: &'a gix::Repository,
    root: &'a Dir,
    base: &'a Listing,
    agent: &'a Listing,
    cache: Option<Cache>,
    converter: Option<Converter<'a>>,
    /// Whether the file system's executable bit means anything.
    executable: bool,
    content: Listing,
}

/// Stores every file of the tree at `root`, and lists them. `agent` is the tree of the agent's last commit.
pub(super) fn take(
    repo: &gix::Repository,
    common: &Dir,
    root: &Dir,
    input: &Input,
    base: &Listing,
    agent: &Listing,
    notices: &mut Notices,
) -> Result<Listing> {
    if !walk::names_admin(root, &input.admin) {
        notices.push(Notice::GitFileReplaced);
    }
    let config = repo.config_snapshot();
    let fold = config.boolean("core.ignoreCase").unwrap_or(false);
    let case = if fold { Case::Fold } else { Case::Sensitive };
    let ignore = Ignore::new(common, case);
    let found = walk::walk(root, [agent, base], &ignore, notices)?;
    let cache = Cache::open(repo, &input.index);
    let left_out = cache.as_ref().map(Cache::left_out).unwrap_or_default();
    let converter = Converter::new(repo, common, input.base, base, case)?;
    let executable = config.boolean("core.fileMode").unwrap_or(true);
    let mut snapshot = Snapshot { repo, root, base, agent, cache, converter, executable, content: Listing::new() };
    for (path, stat) in found.files {
        snapshot.file(path, &stat, notices)?;
    }
    for path in found.submodules.into_iter().chain(left_out).chain(found.unknown) {
        snapshot.keep(&path);
    }
    Ok(snapshot.content)
}

impl Snapshot<'_> {
    fn file(&mut self, path: BString, stat: &Stat, notices: &mut Notices) -> Result<()> {
        let tracked = self.agent.get(&path).or_else(|| self.base.get(&path)).copied();
        let kind = self.kind(stat, tracked);
        if let Some(id) = self.cache.as_ref().and_then(|cache| cache.unchanged(path.as_bstr(), stat)) {
            // The index says which object it was, and only what a tree says as well is believed.
            let known =
                [self.agent, self.base].into_iter().filter_map(|list| list.get(&path)).any(|item| item.id == id);
            if known {
                self.content.insert(path, Item { kind, id });
                return Ok(());
            }
        }
        let previous = tracked.map(|item| item.id);
        let stored = files::store(self.repo, self.root, path.as_bstr(), stat, self.converter.as_mut(), previous)?;
        match stored {
            Stored::As(id) => drop(self.content.insert(path, Item { kind, id })),
            Stored::Gone => {}
            Stored::Unreadable(why) => {
                notices.unstorable(path.as_bstr(), format!("it cannot be read: {why}"));
                self.keep(&path);
            }
        }
        Ok(())
    }

    fn kind(&self, stat: &Stat, tracked: Option<Item>) -> EntryKind {
        if beneath::kind(stat) == FileType::Symlink {
            return EntryKind::Link;
        }
        if !self.executable {
            let kinds = [EntryKind::Blob, EntryKind::BlobExecutable];
            return tracked.map(|item| item.kind).filter(|kind| kinds.contains(kind)).unwrap_or(EntryKind::Blob);
        }
        let owner = stat.st_mode & 0o100 != 0;
        if owner { EntryKind::BlobExecutable } else { EntryKind::Blob }
    }

    /// Leaves a path, or what is below it, as the agent's last commit has it.
    fn keep(&mut self, path: &BString) {
        let mut below = path.clone();
        below.push(b'/');
        let inside = self.agent.range(below.clone()..).take_while(|(name, _)| name.starts_with(&below));
        for (name, item) in self.agent.get_key_value(path).into_iter().chain(inside) {
            if fits(&self.content, name.as_bstr()) {
                self.content.insert(name.clone(), *item);
            }
        }
    }
}

/// Whether neither a directory stands where this file would, nor a file where one of its directories would.
fn fits(content: &Listing, path: &BStr) -> bool {
    let dirs = path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| &path[..at]);
    !listing::has_below(content, path) && dirs.into_iter().all(|dir| !content.contains_key(dir.as_bstr()))
}
