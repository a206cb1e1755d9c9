//! What is written down about one slot, and where it lies.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::recycle::Origin;
use crate::capture::fault;
use crate::disk::{self, Identity};
use crate::local::home::{self, Home};
use crate::local::layout::Layout;
use crate::local::lease;
use crate::{CommitId, Result};

/// The format that this version writes and reads.
const VERSION: u32 = 1;
const PREFIX: &str = ".pool.";
/// How many digits [`disk::token`] has.
const DIGITS: usize = 16;
/// What the name of a directory ends with that is made only to be looked at.
pub(super) const PROBE: &str = ".probe";
/// What the name of a directory ends with that somebody put in the place of a slot's tree.
const REPLACED: &str = ".replaced";

/// What the names of its two indexes end with.
pub(super) const INDEXES: [&str; 2] = ["0.index", "1.index"];

/// What is written down about a slot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Slot {
    version: u32,
    /// The repository in which it was made.
    #[serde(default)]
    home: Option<Home>,
    /// The random part of its names.
    pub(super) token: String,
    /// How far it is.
    pub(super) stage: Stage,
    /// The commit whose files it holds, and which its index describes.
    pub(super) commit: CommitId,
    /// Its tree, whatever its name.
    pub(super) root: Option<Identity>,
    /// When its root was last changed; another time means that somebody did something in there.
    pub(super) seal: Option<Seal>,
    /// Counts how often its index was written: the record says which of the last two is meant.
    generation: u32,
    /// How many files it has.
    pub(super) files: usize,
    /// The permissions that new directories had when its files were written.
    pub(super) mode: u32,
    /// What else than the commit its files depend on.
    pub(super) origin: Origin,
    /// Under which rules ignored files were kept in it; none if there are none.
    pub(super) kept: Option<String>,
}

/// How far a slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    /// Half made or half deleted.
    Partial,
    /// Proven to be what its index says, and idle.
    Ready,
    /// A whole tree in which somebody worked; all work of theirs is under refs.
    Dirty,
}

/// Times of a directory that change with every entry that comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seal {
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Seal {
    /// The seal of the directory at this path.
    pub(super) fn of(path: &Path) -> Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let meta = path.symlink_metadata().map_err(fault::io("look at", path))?;
        Ok(Self { modified: (meta.mtime(), meta.mtime_nsec()), changed: (meta.ctime(), meta.ctime_nsec()) })
    }
}

impl Slot {
    /// A slot of which nothing exists yet.
    pub(super) fn new(layout: &Layout, commit: CommitId, origin: Origin, stage: Stage) -> Result<Self> {
        Ok(Self {
            version: VERSION,
            home: Some(Home::of(layout)?),
            token: disk::token()?,
            stage,
            commit,
            root: None,
            seal: None,
            generation: 0,
            files: 0,
            mode: 0,
            origin,
            kept: None,
        })
    }

    /// Reads a record; none if there is none of this boot, this version and this repository.
    pub(super) fn read(layout: &Layout, token: &str) -> Option<Self> {
        let slot = Self::parse(layout, token).filter(|slot| slot.origin.boot == lease::boot())?;
        home::check(layout, slot.home.as_ref(), &file(layout, token, "json")).is_ok().then_some(slot)
    }

    /// Fails if the record was copied with the repository: what is in the place of its tree is another's.
    pub(super) fn check_home(layout: &Layout, token: &str) -> Result<()> {
        let slot = Self::parse(layout, token);
        home::check(layout, slot.and_then(|slot| slot.home).as_ref(), &file(layout, token, "json"))
    }

    fn parse(layout: &Layout, token: &str) -> Option<Self> {
        let text = disk::read_small(&file(layout, token, "json")).ok()?;
        let slot: Self = serde_json::from_slice(&text).ok()?;
        (slot.version == VERSION && slot.token == token).then_some(slot)
    }

    /// Writes the record; after a crash there is either the old or the new one.
    pub(super) fn write(&self, layout: &Layout) -> Result<()> {
        let path = file(layout, &self.token, "json");
        let text = serde_json::to_vec_pretty(self).map_err(fault::git(format!("write the record {path:?}")))?;
        disk::replace(&path, &text)
    }

    /// Where its tree is while it is idle.
    pub(super) fn tree(&self, layout: &Layout) -> PathBuf {
        tree(layout, &self.token)
    }

    /// Whether another directory than its tree is in the place of it.
    pub(super) fn is_replaced(&self, layout: &Layout) -> bool {
        let there = disk::identity(&self.tree(layout));
        self.root.is_some() && there.is_some() && there != self.root
    }

    /// Gives the directory in the place of its tree a name under which it is no slot's.
    pub(super) fn set_aside(&self, layout: &Layout) -> Result<()> {
        self.set_aside_from(&self.tree(layout), layout)
    }

    /// As [`set_aside`](Self::set_aside), of one that was taken for the tree already.
    pub(super) fn set_aside_from(&self, path: &Path, layout: &Layout) -> Result<()> {
        let mut aside = self.tree(layout).into_os_string();
        aside.push(REPLACED);
        disk::rename_new(path, aside.as_ref()).map_err(fault::io("set aside", path))
    }

    /// The index that describes its tree.
    pub(super) fn index(&self, layout: &Layout) -> PathBuf {
        file(layout, &self.token, INDEXES[self.generation as usize % 2])
    }

    /// From now on, with the record that is written next, another index describes the tree.
    pub(super) fn turn_to_next_index(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }
}

/// The directory of the records. Managers that put their trees elsewhere have slots of their own.
pub(super) fn dir(layout: &Layout) -> PathBuf {
    layout.state.join("pool").join(digest(&layout.trees))
}

/// A short name for a path.
fn digest(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    let id = gix::objs::compute_hash(gix::hash::Kind::Sha1, gix::objs::Kind::Blob, bytes);
    id.map_or_else(|_| "0".repeat(DIGITS), |id| id.to_hex_with_len(DIGITS).to_string())
}

/// One of the files of a slot.
pub(super) fn file(layout: &Layout, token: &str, suffix: &str) -> PathBuf {
    dir(layout).join(format!("{token}.{suffix}"))
}

/// Where the tree of a slot is while it is idle: beside the other trees, so that it can be renamed to be one of them.
pub(super) fn tree(layout: &Layout, token: &str) -> PathBuf {
    layout.trees.join(format!("{PREFIX}{}.{token}", digest(&layout.common)))
}

/// The token of the slot of this repository that has this name among the trees, which other repositories may share.
pub(super) fn token_of<'a>(layout: &Layout, name: &'a str) -> Option<&'a str> {
    taken_apart(name).filter(|(repository, _)| *repository == digest(&layout.common)).map(|(_, token)| token)
}

/// The repository and the token in the name of a tree.
fn taken_apart(name: &str) -> Option<(&str, &str)> {
    let (repository, token) = name.strip_prefix(PREFIX)?.split_once('.')?;
    (is_token(repository) && is_token(token)).then_some((repository, token))
}

/// Whether this can be the token of a slot.
pub(super) fn is_token(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether a tree that was moved there is a slot's, of this or another manager, and no garbage.
pub(in crate::local) fn is_slot(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| taken_apart(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hidden_siblings_of_a_worktree_called_pool_are_no_slots() {
        let repository = "fedcba9876543210";
        let name = |rest: &str| format!(".pool.{repository}.{rest}");
        assert_eq!(taken_apart(&name("0123456789abcdef")), Some((repository, "0123456789abcdef")));
        assert_eq!(taken_apart(&name("0123456789abcdef.tmp")), None);
        assert_eq!(taken_apart(".pool.0123456789abcdef.trash"), None);
        assert_eq!(taken_apart(".pool.0123456789abcdef"), None);
        assert_eq!(taken_apart(".pool."), None);
        assert_eq!(taken_apart("pool.fedcba9876543210.0123456789abcdef"), None);
    }
}
