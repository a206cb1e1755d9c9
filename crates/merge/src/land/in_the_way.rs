//! Files of the user that a checkout would overwrite.
//!
//! git protects untracked files and overwrites ignored ones. Here both are the user's.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice};

use crate::engine::added_files;
use crate::{Error, Result, graph};

/// The first path in `work_tree` that is not in `old` and that writing `new` would replace or remove.
pub(super) fn find(
    session: &gix::Repository,
    work_tree: &Path,
    old: ObjectId,
    new: ObjectId,
) -> Result<Option<PathBuf>> {
    let (old, new) = (graph::tree_of(session, old)?, graph::tree_of(session, new)?);
    let look = Look { old: session.find_tree(old).map_err(Error::git("read the checkout's tree"))?, work_tree };
    for path in added_files(session, old, new)? {
        if let Some(found) = look.at(&path)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

struct Look<'a> {
    old: gix::Tree<'a>,
    work_tree: &'a Path,
}

impl Look<'_> {
    /// Goes down to `path` one directory at a time, so that no link is followed out of the checkout.
    fn at(&self, path: &BString) -> Result<Option<PathBuf>> {
        let ends = path.find_iter(b"/").chain([path.len()]);
        for end in ends {
            let relative = path[..end].as_bstr();
            let file = self.work_tree.join(gix::path::from_bstr(relative).map_err(Error::git("use a path"))?);
            match fs::symlink_metadata(&file) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(Error::git(format!("look at {file:?}"))(error)),
                Ok(found) if found.is_dir() && end < path.len() => {}
                Ok(found) if found.is_dir() => return self.within(&file, relative),
                Ok(_) => return Ok((!self.is_tracked(relative)?).then_some(file)),
            }
        }
        Ok(None)
    }

    /// A file that is not tracked, anywhere in a directory.
    fn within(&self, directory: &Path, relative: &BStr) -> Result<Option<PathBuf>> {
        let failed = || Error::git::<std::io::Error>(format!("list {directory:?}"));
        for entry in fs::read_dir(directory).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            let file = entry.path();
            let name = gix::path::os_string_into_bstring(entry.file_name()).map_err(Error::git("use a path"))?;
            let below = BString::from([relative.as_bytes(), b"/", name.as_slice()].concat());
            let found = match entry.file_type().map_err(failed())?.is_dir() {
                true => self.within(&file, below.as_bstr())?,
                false if self.is_tracked(below.as_bstr())? => None,
                false => Some(file),
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn is_tracked(&self, path: &BStr) -> Result<bool> {
        let entry = self.old.lookup_entry(path.split(|byte| *byte == b'/')).map_err(Error::git("look up a path"))?;
        Ok(entry.is_some_and(|entry| entry.mode().is_no_tree()))
    }
}
