//! Clears away what dead processes left of slots, and what cannot be used any more.

use super::outcome::Cleared;
use super::shelf::{self, Held};
use super::slot::{self, Stage};
use crate::Result;
use crate::capture::fault;
use crate::disk;
use crate::local::layout::Layout;
use crate::local::trash;

/// Deletes half-made slots, those of an earlier boot, and trees that no record names. Slots that somebody has stay.
pub(super) fn sweep(layout: &Layout) -> Result<Vec<Cleared>> {
    let mut cleared = Vec::new();
    for token in found(layout)? {
        let Some(lock) = shelf::lock(layout, &token)? else { continue };
        if let Err(copied) = slot::Slot::check_home(layout, &token) {
            cleared.push(Cleared { commit: None, why: "it is another repository's".to_owned(), deleted: Err(copied) });
            continue;
        }
        let tree = slot::tree(layout, &token);
        let done = match slot::Slot::read(layout, &token) {
            Some(slot) => {
                let why = match slot.stage {
                    _ if slot.is_replaced(layout) => "its tree was replaced, and what is there now set aside",
                    Stage::Partial => "it was half made when its maker died",
                    _ if disk::identity(&tree).is_none() => "its tree is gone",
                    _ if slot.root.is_none() => "its record does not say which tree is its",
                    Stage::Ready | Stage::Dirty => continue,
                };
                let commit = Some(slot.commit.clone());
                (commit, why, Held { slot, lock }.delete(layout))
            }
            None => {
                let deleted = trash::delete(&tree).map_err(fault::io("delete", &tree));
                (
                    None,
                    "it is of an earlier boot or another version, or nobody's",
                    deleted.and_then(|()| shelf::forget(layout, &token)),
                )
            }
        };
        let (commit, why, deleted) = done;
        cleared.push(Cleared { commit, why: why.to_owned(), deleted });
    }
    Ok(cleared)
}

/// The tokens of everything that looks like a part of a slot.
fn found(layout: &Layout) -> Result<Vec<String>> {
    let mut tokens = Vec::new();
    let dir = slot::dir(layout);
    for entry in std::fs::read_dir(&dir).map_err(fault::io("list", &dir))? {
        let name = entry.map_err(fault::io("list", &dir))?.file_name();
        let token = name.to_str().and_then(|name| name.split('.').next()).filter(|token| slot::is_token(token));
        tokens.extend(token.map(str::to_owned));
    }
    if layout.trees.is_dir() {
        for entry in std::fs::read_dir(&layout.trees).map_err(fault::io("list", &layout.trees))? {
            let name = entry.map_err(fault::io("list", &layout.trees))?.file_name();
            let Some(name) = name.to_str() else { continue };
            if let Some(token) = slot::token_of(layout, name) {
                tokens.push(token.to_owned());
            } else if name.strip_suffix(slot::PROBE).is_some_and(|name| slot::token_of(layout, name).is_some()) {
                // Made to be looked at and empty; somebody else may be about to remove it.
                let _ = std::fs::remove_dir(layout.trees.join(name));
            }
        }
    }
    tokens.sort();
    tokens.dedup();
    Ok(tokens)
}
