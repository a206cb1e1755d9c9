//! Gives up the refs of bases that no worktree has any more: those that an older version named after the id alone, and
//! never deleted, and those whose record somebody else has deleted.

use super::layout::Layout;
use super::merged;
use super::record::{self, Record};
use crate::capture::way::PINS;
use crate::swap::{self, Value};
use crate::{Result, WorktreeId};

/// Deletes those whose commit another ref holds as well. One that nothing else holds is left to the doctor, which puts it
/// under a rescue ref.
pub(super) fn give_up(repo: &gix::Repository, layout: &Layout) -> Result<()> {
    for (name, value) in swap::below(&layout.common, PINS)? {
        let (Some(admin), Value::Id(base)) = (name.strip_prefix(PINS), value) else { continue };
        if is_used(layout, admin)? || !merged::is_held(repo, None, base) {
            continue;
        }
        swap::delete(&layout.common, &name, |value| value == Value::Id(base))?;
    }
    Ok(())
}

/// Whether a worktree may need this ref. The record of a new one is written before its ref, and that of one that has left
/// is deleted after it. A record that cannot be read may be that of any.
fn is_used(layout: &Layout, admin: &str) -> Result<bool> {
    // As an older version called it.
    let of_id = WorktreeId::new(admin).is_ok_and(|id| layout.record(&id).symlink_metadata().is_ok());
    if of_id || layout.leaving(admin).symlink_metadata().is_ok() {
        return Ok(true);
    }
    let mut ids = record::ids(layout)?.into_iter();
    Ok(ids.any(|id| match Record::read(layout, &id) {
        Ok(found) => found.is_some_and(|record| record.admin == admin),
        Err(_) => true,
    }))
}
