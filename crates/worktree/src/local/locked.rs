//! Whose the lock of git's is that keeps a worktree from being pruned.

use super::layout::Layout;
use super::record::Record;
use crate::capture::fault;
use crate::{Result, disk};

/// How our reasons begin.
const OURS: &str = "hedgerow worktree ";

/// Why the worktree must not go although its holder lets it: somebody else has locked it.
pub(super) fn by_somebody(layout: &Layout, record: &Record) -> Option<String> {
    let text = match disk::read_small(&record.admin_dir(layout).join("locked")) {
        Ok(text) => String::from_utf8_lossy(&text).trim().to_owned(),
        // None, or nothing that a lock of git's could be.
        Err(_) => return None,
    };
    if text.starts_with(OURS) {
        return None;
    }
    let reason = if text.is_empty() { "without a reason".to_owned() } else { format!("with the reason {text:?}") };
    Some(format!("somebody has locked it {reason}; `git worktree unlock` lets it go"))
}

/// Replaces the reason in git's lock of the worktree, if its admin directory is still there and nobody else locked it.
pub(super) fn write_reason(layout: &Layout, record: &Record, reason: &str) -> Result<()> {
    let admin = record.admin_dir(layout);
    if disk::identity(&admin).is_none() || by_somebody(layout, record).is_some() {
        return Ok(());
    }
    let text = layout.staging().join(format!("{}.locked", record.token));
    disk::write_synced(&text, format!("{reason}\n").as_bytes())?;
    let locked = admin.join("locked");
    std::fs::rename(&text, &locked).map_err(fault::io("write", &locked))
}
