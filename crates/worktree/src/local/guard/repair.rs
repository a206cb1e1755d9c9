//! Puts back what can be put back exactly. What was in its place is moved aside, never deleted.

use std::fs::{OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::super::layout::Layout;
use super::change::{Change, Repair, What};
use super::compare::print;
use super::fingerprint::Fingerprint;
use super::seen::{File, Seen};
use super::{config, lost};
use crate::capture::fault;
use crate::{Result, WorktreeId, disk, quarantine};

/// What the notes in the quarantine say.
pub(super) const WHY: &str = "it was not what it had been before a task, and was repaired";

/// Repairs one change; what is rescued goes to the rescue refs of `task`.
pub(super) fn repair(layout: &Layout, before: &Fingerprint, change: &Change, task: &WorktreeId) -> Result<Repair> {
    let common = &layout.common;
    match change {
        Change::Config { file, now, .. } | Change::ConfigBroken { file, now, .. } => {
            config::repair(layout, file, before.config.get(file), now.as_deref())
        }
        Change::File { file, what: What::Removed, .. } => put_back(&common.join(file), before.files.get(file), None),
        // Objects may lie there by now that something needs.
        Change::File { file, .. } if file == "objects/info/alternates" || file == "shallow" => {
            Ok(left("objects may depend on it by now; look at it with `git fsck`"))
        }
        Change::File { file, what, now } => {
            exchange(layout, &common.join(file), *what, before.files.get(file), now.as_deref())
        }
        Change::Hook { path, what, now } => {
            let remembered = path.to_str().and_then(|path| before.hooks.get(path));
            exchange(layout, path, *what, remembered, now.as_deref())
        }
        Change::Ref { name, before, .. } => lost::reference(layout, name, before.as_deref(), task),
        Change::StashDropped { commit } => lost::stash(layout, commit, task),
        Change::Unlocked { entry, .. } => lost::lock(layout, entry),
        Change::EntryGone { .. } => {
            Ok(left("git's entry for a worktree cannot be made again; what its branch held is repaired by itself"))
        }
        Change::Edited { .. } | Change::Index | Change::Head { entry: None, .. } => {
            Ok(left("the main checkout is the user's, and is not touched"))
        }
        Change::Head { .. } | Change::EntryAdded { .. } | Change::StashPushed { .. } | Change::Unknown { .. } => {
            Ok(left("it may be meant; nothing is lost by it"))
        }
    }
}

/// A change that stays as it is.
pub(super) fn left(why: impl Into<String>) -> Repair {
    Repair::Left { why: why.into() }
}

/// Moves aside what is there now, if anything, and puts back what was there before, if anything.
fn exchange(layout: &Layout, path: &Path, what: What, was: Option<&Seen>, now: Option<&str>) -> Result<Repair> {
    let Some(parent) = directory_of(path) else { return Ok(left(NO_DIRECTORY)) };
    if what != What::Added && !was.is_some_and(can_put_back) {
        return Ok(left("its former content is not known; it was too large to be remembered, or no file"));
    }
    if what == What::Removed {
        return put_back(path, was, None);
    }
    if print(Seen::at(path).as_ref()).as_deref() != now {
        return Ok(left("it was changed again meanwhile; look at it anew"));
    }
    let aside = quarantine::take(&layout.state, path, WHY)?;
    if print(Seen::at(&aside).as_ref()).as_deref() != now {
        // Exchanged in the last moment; it is not what the caller looked at.
        quarantine::give_back(&aside, path)?;
        return Ok(left("it was changed again meanwhile; look at it anew"));
    }
    if what == What::Changed && was.is_some() {
        return put_back(path, was, Some(aside));
    }
    // Or a power failure brings it back to where it was.
    disk::sync_dir(parent)?;
    Ok(Repair::Restored { aside: Some(aside) })
}

const NO_DIRECTORY: &str = "its directory is gone, or was replaced by a symlink";

/// The directory that this is in, unless it leads elsewhere.
fn directory_of(path: &Path) -> Option<&Path> {
    path.parent().filter(|parent| disk::identity(parent).is_some())
}

fn can_put_back(seen: &Seen) -> bool {
    matches!(seen, Seen::File(File { content: Some(_), .. }) | Seen::Link(_))
}

/// Makes what was remembered, where nothing is now. It is durable when this returns, and so is what left that place.
fn put_back(path: &Path, was: Option<&Seen>, aside: Option<PathBuf>) -> Result<Repair> {
    let Some(parent) = directory_of(path) else { return Ok(left(NO_DIRECTORY)) };
    let made = match was {
        Some(Seen::Link(target)) => std::os::unix::fs::symlink(target, path),
        Some(Seen::File(File { mode, content: Some(content), .. })) => write_new(path, content.bytes(), *mode),
        _ => return Ok(left("its former content is not known; it was too large to be remembered, or no file")),
    };
    match made {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            Ok(left("something is there again; look at it anew"))
        }
        made => {
            made.map_err(fault::io("put back", path))?;
            disk::sync_dir(parent)?;
            Ok(Repair::Restored { aside })
        }
    }
}

fn write_new(path: &Path, content: &[u8], mode: u32) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}
