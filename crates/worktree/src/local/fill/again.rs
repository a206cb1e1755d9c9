//! Writes files of a tree that is there already.

use std::borrow::Cow;
use std::path::Path;

use gix::index::State;
use rustix::fs::{CWD, Mode, OFlags, Timespec, openat, renameat};

use super::convert::Converter;
use super::dirs::Dirs;
use super::file::New;
use super::worker::{failed, find_blob, split};
use crate::Result;
use crate::capture::fault;
use crate::disk;

/// Puts the content of these entries in the place of what their paths hold, and notes the new stat data.
pub(super) fn write(
    index: &mut State,
    tree: &Path,
    entries: &[usize],
    mut converter: Option<Converter>,
    objects: &gix::OdbHandleArc,
    settled: Timespec,
) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = openat(CWD, tree, flags, Mode::empty()).map_err(fault::io("enter", tree))?;
    let mut dirs = Dirs::new(&root, None).map_err(fault::io("enter", tree))?;
    let beside = format!(".{}.tmp", disk::token()?);
    let mut buffer = Vec::new();
    for at in entries {
        let path = index.entry(*at).path(index).to_owned();
        let entry = &mut index.entries_mut()[*at];
        let (dir, name) = split(path.as_ref());
        let blob = find_blob(objects, entry, path.as_ref(), &mut buffer)?;
        let content = match &mut converter {
            Some(converter) => converter
                .convert(blob, path.as_ref(), entry, objects)
                .map_err(fault::git(format!("convert {path:?}")))?,
            None => Cow::Borrowed(blob),
        };
        let io = |e: std::io::Error| failed(path.as_ref(), e);
        dirs.enter(dir).map_err(|e| io(e.into()))?;
        let mut new = New::create(dirs.target(), beside.as_bytes(), entry.mode).map_err(io)?;
        new.write(&content).map_err(io)?;
        entry.stat = new.settle(settled).map_err(io)?;
        renameat(dirs.target(), beside.as_bytes(), dirs.target(), name).map_err(|e| io(e.into()))?;
    }
    Ok(())
}
