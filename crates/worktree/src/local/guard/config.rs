//! Puts configuration back, under git's own lock of it.

use std::path::Path;

use super::super::layout::Layout;
use super::change::Repair;
use super::compare::print;
use super::keys;
use super::repair::{WHY, left};
use super::seen::{File, Seen};
use crate::swap::{self, Edit};
use crate::{Result, disk, quarantine};

/// The permissions that git gives a configuration.
const MODE: u32 = 0o644;

/// Puts the dangerous keys of a configuration file back; if no others changed, the whole file as it was.
pub(super) fn repair(layout: &Layout, file: &str, was: Option<&Seen>, now: Option<&str>) -> Result<Repair> {
    let path = layout.common.join(file);
    if path.parent().and_then(disk::identity).is_none() {
        return Ok(left("its directory is gone, or was replaced by a symlink"));
    }
    let mut done = left("it was changed again meanwhile; look at it anew");
    swap::edit(&path, || {
        let is = Seen::at(&path);
        if print(is.as_ref()).as_deref() != now {
            return Ok(None);
        }
        match content(was, is.as_ref()) {
            Err(why) => {
                done = left(why);
                Ok(None)
            }
            Ok(content) => {
                let kept = keep(layout, &path, is.as_ref())?;
                done = Repair::Restored { aside: kept };
                let mode = match was.or(is.as_ref()) {
                    Some(Seen::File(file)) => file.mode,
                    _ => MODE,
                };
                Ok(Some(Edit { content, mode }))
            }
        }
    })?;
    Ok(done)
}

/// What the file shall hold.
fn content(was: Option<&Seen>, is: Option<&Seen>) -> std::result::Result<Vec<u8>, String> {
    let remembered = match was {
        None => b"".as_slice(),
        Some(seen) => seen.bytes().ok_or("its former content is not known; it was too large, or no file")?,
    };
    let before = keys::parse(remembered).map_err(|e| format!("it could not be read before either: {e}"))?;
    let text = match is {
        None => return Ok(remembered.to_owned()),
        Some(Seen::File(File { content: Some(content), .. })) => content.bytes(),
        Some(_) => return Err("it is no small regular file; look at it, and move it away".into()),
    };
    let Ok(mut after) = keys::parse(text) else { return Ok(remembered.to_owned()) };
    let differences = keys::differences(&before, &after);
    if differences.iter().all(|(key, ..)| key.is_dangerous()) {
        return Ok(remembered.to_owned());
    }
    // Somebody has changed other keys too, perhaps a person; those stay.
    for (key, values, _) in differences.iter().filter(|(key, ..)| key.is_dangerous()) {
        keys::set(&mut after, key, values.as_ref())?;
    }
    Ok(after.to_bstring().into())
}

/// Keeps a copy of what is about to be replaced.
fn keep(layout: &Layout, path: &Path, is: Option<&Seen>) -> Result<Option<std::path::PathBuf>> {
    let Some(bytes) = is.and_then(Seen::bytes) else { return Ok(None) };
    quarantine::keep(&layout.state, path, bytes, WHY).map(Some)
}
