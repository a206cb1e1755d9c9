//! Numbers that only grow, one for each lease that was ever given, so that of two holders the later one can be told.

use super::layout::Layout;
use super::record::{self, Record};
use crate::disk;
use crate::{Result, capture::fault};

/// The next number. It grows over releases and new creations of the same id.
///
/// Not made durable by itself: after a power failure it goes on from the highest one that a record has.
pub(super) fn next(layout: &Layout) -> Result<u64> {
    let _turn = layout.turn()?;
    let path = layout.generation();
    let text = disk::read_small(&path).ok();
    let last = text.and_then(|text| std::str::from_utf8(&text).ok()?.trim().parse().ok());
    let next = last.map_or_else(|| highest(layout), Ok)?.saturating_add(1);
    let temporary = layout.state.join("generation.tmp");
    disk::write_plain(&temporary, format!("{next}\n").as_bytes())?;
    std::fs::rename(&temporary, &path).map_err(fault::io("write", &path))?;
    Ok(next)
}

fn highest(layout: &Layout) -> Result<u64> {
    let records = record::ids(layout)?;
    // A record that cannot be read has no holder that could do anything.
    let records = records.iter().filter_map(|id| Record::read(layout, id).ok().flatten());
    Ok(records.map(|record| record.holder.generation).max().unwrap_or(0))
}
