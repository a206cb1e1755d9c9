//! Makes symlinks, when all files are there.

use std::ffi::CString;
use std::io::{Error, ErrorKind};
use std::os::fd::OwnedFd;

use gix::bstr::BStr;
use gix::index::entry::{self, Mode};
use gix::index::{Entry, PathStorageRef};
use rustix::fs::{AtFlags, Timespec, statat, symlinkat, utimensat};

use super::dirs::Dirs;
use super::file::{self, New};
use super::stat;
use super::worker::{failed, find_blob, split};
use crate::Result;
use crate::capture::fault;

/// Makes these symlinks, or files with their targets where the repository says that the file system has none.
pub(super) fn make(
    target: &OwnedFd,
    links: Vec<&mut Entry>,
    paths: &PathStorageRef,
    objects: &gix::OdbHandleArc,
    symlinks: bool,
    settled: Timespec,
) -> Result<()> {
    let mut dirs = Dirs::new(target, None).map_err(fault::io("enter", "the new tree"))?;
    let mut buffer = Vec::new();
    for link in links {
        let path = link.path_in(paths);
        let points_to = find_blob(objects, link, path, &mut buffer)?;
        let made = one(&mut dirs, path, points_to, symlinks, settled);
        link.stat = made.map_err(|e| failed(path, e))?;
    }
    Ok(())
}

fn one(
    dirs: &mut Dirs<'_>,
    path: &BStr,
    points_to: &[u8],
    symlinks: bool,
    settled: Timespec,
) -> std::io::Result<entry::Stat> {
    let (dir, name) = split(path);
    dirs.enter(dir)?;
    if !symlinks {
        let mut new = New::create(dirs.target(), name, Mode::FILE)?;
        new.write(points_to)?;
        return new.settle(settled);
    }
    let invalid = |_| Error::new(ErrorKind::InvalidInput, "the symlink has a zero byte in its target");
    symlinkat(CString::new(points_to).map_err(invalid)?, dirs.target(), name)?;
    utimensat(dirs.target(), name, &file::times(settled), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(stat::kept(&statat(dirs.target(), name, AtFlags::SYMLINK_NOFOLLOW)?))
}
