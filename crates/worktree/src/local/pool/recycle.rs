//! Where a tree goes that is about to be removed: into the pool, if there is room.
//!
//! The slot is written down before the record of the worktree says where its tree goes. Whoever dies in between leaves a
//! slot without a tree, or a removal that the next recovery carries out; both are found.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::shelf::{self, Held};
use super::slot::Stage;
use crate::Result;
use crate::capture::fault;
use crate::local::layout::Layout;
use crate::local::lease;
use crate::local::record::Record;

/// What the files of a tree depend on besides its commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::local) struct Origin {
    /// A digest of the settings under which it was filled.
    pub(super) setting: String,
    /// Which files of the main checkout were copied in; none if they are too many or too strange to be written down.
    pub(super) seeded: Option<Vec<PathBuf>>,
    /// The boot in which it was filled: a crash of the machine tears files that look untouched.
    pub(super) boot: String,
}

/// The most bytes of all seeded paths that are written down.
const SEEDED: usize = 16 << 10;

impl Origin {
    /// Notes what was copied in from the main checkout.
    pub(in crate::local) fn note_seeded(&mut self, copied: Vec<PathBuf>) {
        let bytes: usize = copied.iter().map(|path| path.as_os_str().len()).sum();
        let plain = copied.iter().all(|path| path.to_str().is_some());
        self.seeded = (bytes <= SEEDED && plain).then_some(copied);
    }
}

/// Makes room for the tree of this worktree, if it came through a pool and fewer than `most` slots exist.
pub(super) fn reserve(layout: &Layout, record: &mut Record, most: usize) -> Result<Option<Held>> {
    let Some(origin) = &record.origin else { return Ok(None) };
    if !record.has_tree() || origin.boot != lease::boot() {
        return Ok(None);
    }
    let Some(mut held) = shelf::reserve(layout, most, &record.parts.base, origin, Stage::Dirty)? else {
        return Ok(None);
    };
    match enter(layout, record, &mut held) {
        Ok(path) => {
            record.trash = path;
            Ok(Some(held))
        }
        Err(e) => {
            held.forget(layout)?;
            Err(e)
        }
    }
}

/// Gives the slot the index of the tree, and returns where the tree has to go.
fn enter(layout: &Layout, record: &Record, held: &mut Held) -> Result<PathBuf> {
    // The same file, so that its time still tells which of the tree's files are younger.
    let index = held.slot.index(layout);
    std::fs::hard_link(layout.index(&record.parts.id), &index).map_err(fault::io("write", &index))?;
    held.slot.root = record.root.as_ref().map(|root| root.identity);
    held.slot.write(layout)?;
    let tree = held.slot.tree(layout);
    same_place(&tree, &record.trash)?;
    Ok(tree)
}

/// A tree that was made elsewhere cannot be renamed into this pool.
fn same_place(tree: &Path, trash: &Path) -> Result<()> {
    if tree.parent() == trash.parent() {
        return Ok(());
    }
    Err(fault::strange(trash, "the worktree was made in another directory than the pool's"))
}
