//! Keeps a holder that lost its lease in the middle of an operation from doing anything any more.
//!
//! The lock of a lease dies with its process, but an operation may outlive its handle: one that was cancelled goes on in
//! the background, while the handle is handed over. So whoever is about to move a ref or a tree looks again, under the
//! lock of the repository, and keeps that lock until it has moved it.

use super::layout::Layout;
use super::lock::Turn;
use super::record::Record;
use super::release::lost;
use crate::Result;

/// Goes on only while the record is what this operation has seen or written last.
pub(super) fn enter(layout: &Layout, known: &Record) -> Result<Turn> {
    let turn = layout.turn()?;
    check(layout, known)?;
    Ok(turn)
}

/// As [`enter`], for those who hold the lock of the repository.
pub(super) fn check(layout: &Layout, known: &Record) -> Result<()> {
    let id = &known.parts.id;
    let Some(now) = Record::read(layout, id)? else {
        return Err(lost(id, "it was released meanwhile"));
    };
    if now.holder != known.holder {
        let (ours, theirs) = (known.holder.generation, now.holder.generation);
        return Err(lost(id, &format!("it was leased anew meanwhile, as generation {theirs} after {ours}")));
    }
    if now.offer != known.offer {
        return Err(lost(id, "it was handed over meanwhile"));
    }
    if now.stage != known.stage {
        return Err(lost(id, "it was released or is being removed meanwhile"));
    }
    Ok(())
}
