//! Opens and copies files beneath a directory, never through a symlink.

use std::fs::{File, Permissions};
use std::io::{Read, copy};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::capture::fault;
use crate::{Error, Result};

/// Copies into one tree, within limits.
pub(super) struct Copier<'a> {
    source: &'a OwnedFd,
    target: &'a OwnedFd,
    left: u64,
    /// What was copied, relative to both.
    pub(super) copied: Vec<PathBuf>,
}

/// The most bytes of one file: these are settings, not data.
const LARGEST_FILE: u64 = 16 << 20;
/// The most bytes of all files.
const LARGEST_SEED: u64 = 256 << 20;

impl<'a> Copier<'a> {
    pub(super) fn new(source: &'a OwnedFd, target: &'a OwnedFd) -> Self {
        Self { source, target, left: LARGEST_SEED, copied: Vec::new() }
    }

    /// Copies one file with its mode, unless something is in its place already.
    pub(super) fn file(&mut self, path: &Path) -> Result<()> {
        let fail = |e: Errno| fault::io("copy into the new worktree", path)(e);
        let file = match open_file(self.source, path) {
            // It went away, or was never a file.
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::NXIO) => return Ok(()),
            opened => opened.map_err(fail)?,
        };
        let meta = file.metadata().map_err(fault::io("read", path))?;
        if !meta.is_file() {
            return Ok(());
        }
        if meta.len() > LARGEST_FILE.min(self.left) {
            let problem = format!(
                "with its {} bytes it exceeds the limit of {LARGEST_FILE} bytes for a file or {LARGEST_SEED} bytes for \
                 all; take it off the list",
                meta.len()
            );
            return Err(Error::Seed { path: path.to_owned(), problem });
        }
        let Some(name) = path.file_name() else { return Ok(()) };
        let parent = match self.target_dir(path.parent().unwrap_or(Path::new(""))) {
            // The commit has a file or a symlink there.
            Err(Errno::LOOP | Errno::NOTDIR) => return Ok(()),
            opened => opened.map_err(fail)?,
        };
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut copied: File = match rustix::fs::openat(&parent, name, flags, Mode::RUSR | Mode::WUSR) {
            Err(Errno::EXIST) => return Ok(()),
            opened => opened.map_err(fail)?.into(),
        };
        let written = copy(&mut file.take(meta.len()), &mut copied)
            .and_then(|bytes| {
                copied.set_permissions(Permissions::from_mode(meta.permissions().mode() & 0o777)).map(|()| bytes)
            })
            .map_err(fault::io("copy into the new worktree", path))?;
        self.left = self.left.saturating_sub(written);
        self.copied.push(path.to_owned());
        Ok(())
    }

    fn target_dir(&self, path: &Path) -> std::result::Result<OwnedFd, Errno> {
        let mut at = self.target.try_clone().map_err(|_| Errno::MFILE)?;
        for name in path {
            match rustix::fs::mkdirat(&at, name, Mode::RWXU | Mode::RWXG | Mode::RWXO) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(e) => return Err(e),
            }
            at = step(&at, name.as_ref())?;
        }
        Ok(at)
    }
}

/// Opens a directory beneath another one.
pub(super) fn open_dir(root: &OwnedFd, path: &Path) -> std::result::Result<OwnedFd, Errno> {
    let mut at = rustix::fs::openat(root, c".", OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    for name in path {
        at = step(&at, name.as_ref())?;
    }
    Ok(at)
}

/// Opens a file beneath a directory for reading.
pub(in crate::local) fn open_file(root: &OwnedFd, path: &Path) -> std::result::Result<File, Errno> {
    let dir = open_dir(root, path.parent().unwrap_or(Path::new("")))?;
    let name = path.file_name().ok_or(Errno::NOENT)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(&dir, name, flags, Mode::empty())?.into())
}

/// Reads a small file beneath a directory; none when there is none.
pub(super) fn read(root: &OwnedFd, path: &Path) -> Result<Option<Vec<u8>>> {
    const MOST: u64 = 1 << 20;
    let file = match open_file(root, path) {
        Err(Errno::NOENT) => return Ok(None),
        opened => opened.map_err(fault::io("read", path))?,
    };
    let mut content = Vec::new();
    file.take(MOST + 1).read_to_end(&mut content).map_err(fault::io("read", path))?;
    if content.len() as u64 > MOST {
        let problem = format!("a list of patterns may have {MOST} bytes at most");
        return Err(Error::Seed { path: path.to_owned(), problem });
    }
    Ok(Some(content))
}

fn step(at: &OwnedFd, name: &Path) -> std::result::Result<OwnedFd, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at.as_fd(), name, flags, Mode::empty())
}
