//! Who has which slot.
//!
//! A slot is had by whoever holds the lock on its file, which dies with its holder. Such locks are taken only under the
//! lock of the pool, so that looking at a slot never makes it look taken.

use std::path::PathBuf;

use super::slot::{self, Slot, Stage};
use crate::capture::fault;
use crate::disk;
use crate::local::layout::Layout;
use crate::local::lock::Lock;
use crate::local::trash;
use crate::{CommitId, Result};

use super::recycle::Origin;

/// A slot that this process has.
#[derive(Debug)]
pub(super) struct Held {
    /// What is written down about it.
    pub(super) slot: Slot,
    /// Held until the slot is given back, handed out or deleted.
    pub(super) lock: Lock,
}

impl Held {
    /// Deletes the slot. Killed on the way, it is found again as a half deleted one.
    ///
    /// A directory that somebody put in the place of its tree is theirs, and only set aside.
    pub(super) fn delete(mut self, layout: &Layout) -> Result<()> {
        if self.slot.is_replaced(layout) {
            self.slot.set_aside(layout)?;
            return self.forget(layout);
        }
        self.slot.stage = Stage::Partial;
        self.slot.write(layout)?;
        let tree = self.slot.tree(layout);
        trash::delete(&tree).map_err(fault::io("delete", &tree))?;
        self.forget(layout)
    }

    /// Removes what is written down about the slot, whose tree is elsewhere or gone.
    pub(super) fn forget(self, layout: &Layout) -> Result<()> {
        forget(layout, &self.slot.token)?;
        drop(self.lock);
        Ok(())
    }
}

/// Removes the files of a slot, that of its lock last. The caller holds that lock.
pub(super) fn forget(layout: &Layout, token: &str) -> Result<()> {
    for suffix in ["json.tmp", "json", slot::INDEXES[0], slot::INDEXES[1], "lock"] {
        disk::remove_file(&slot::file(layout, token, suffix))?;
    }
    Ok(())
}

/// The tokens of all slots.
pub(super) fn tokens(layout: &Layout) -> Result<Vec<String>> {
    let dir = slot::dir(layout);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&dir).map_err(fault::io("list", &dir))? {
        let name = entry.map_err(fault::io("list", &dir))?.file_name();
        let token = name.to_str().and_then(|name| name.strip_suffix(".json"));
        found.extend(token.filter(|token| slot::is_token(token)).map(str::to_owned));
    }
    found.sort();
    Ok(found)
}

/// The tokens of the slots that are not half made or half deleted.
pub(super) fn whole(layout: &Layout) -> Result<Vec<String>> {
    let whole = slots(layout)?.into_iter().filter(|slot| slot.stage != Stage::Partial);
    Ok(whole.map(|slot| slot.token).collect())
}

/// All slots whose records can be read, had by somebody or not.
pub(super) fn slots(layout: &Layout) -> Result<Vec<Slot>> {
    Ok(tokens(layout)?.iter().filter_map(|token| Slot::read(layout, token)).collect())
}

/// Takes the lock of a slot, unless somebody has it.
pub(super) fn lock(layout: &Layout, token: &str) -> Result<Option<Lock>> {
    let _turn = Lock::wait(&turn(layout))?;
    Lock::take(&slot::file(layout, token, "lock"))
}

/// Takes a slot, unless somebody has it or it is gone.
pub(super) fn take(layout: &Layout, token: &str) -> Result<Option<Held>> {
    let _turn = Lock::wait(&turn(layout))?;
    let Some(lock) = Lock::take(&slot::file(layout, token, "lock"))? else { return Ok(None) };
    match Slot::read(layout, token) {
        Some(slot) => Ok(Some(Held { slot, lock })),
        None if slot::file(layout, token, "json").exists() => Ok(None),
        None => {
            disk::remove_file(&slot::file(layout, token, "lock"))?;
            Ok(None)
        }
    }
}

/// Writes down a new slot, unless there are `most` already.
pub(super) fn reserve(
    layout: &Layout,
    most: usize,
    commit: &CommitId,
    origin: &Origin,
    stage: Stage,
) -> Result<Option<Held>> {
    let _turn = Lock::wait(&turn(layout))?;
    let mut found = 0;
    for slot in slots(layout)? {
        // What is left of one that cannot be deleted does not count.
        let lasts = slot.stage != Stage::Partial || Lock::is_held(&slot::file(layout, &slot.token, "lock"))?;
        found += usize::from(lasts);
    }
    if found >= most {
        return Ok(None);
    }
    let slot = Slot::new(layout, commit.clone(), origin.clone(), stage)?;
    let Some(lock) = Lock::take(&slot::file(layout, &slot.token, "lock"))? else { return Ok(None) };
    slot.write(layout)?;
    Ok(Some(Held { slot, lock }))
}

/// Whether each of these slots is had by somebody at this moment.
pub(super) fn busy(layout: &Layout, slots: &[Slot]) -> Result<Vec<bool>> {
    let _turn = Lock::wait(&turn(layout))?;
    slots.iter().map(|slot| Lock::is_held(&slot::file(layout, &slot.token, "lock"))).collect()
}

fn turn(layout: &Layout) -> PathBuf {
    slot::dir(layout).join("turn")
}
