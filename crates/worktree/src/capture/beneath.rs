//! Opens files below a directory without ever leaving it: no symlink is followed, nothing but a regular file is read.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat, statat};

use crate::disk;

/// A directory that is held open.
#[derive(Debug)]
pub(crate) struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Without blocking on a FIFO, becoming the owner of a terminal, or waiting for somebody's lease on the file.
const REGULAR: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOFOLLOW).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// How much memory is asked for before anything was read.
const AT_ONCE: u64 = 16 << 20;

impl Dir {
    /// Opens a directory whose own path is the host's; only what lies below it is hostile.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let fd = openat(CWD, path, DIRECTORY, Mode::empty())?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Where it was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a directory below this one, one step at a time; an empty path is this directory again.
    pub(crate) fn dir(&self, relative: &[u8]) -> Result<Self> {
        let mut fd = openat(&self.fd, ".", DIRECTORY, Mode::empty())?;
        for part in parts(relative)?.filter(|_| !relative.is_empty()) {
            fd = openat(&fd, OsStr::from_bytes(part), DIRECTORY, Mode::empty())?;
        }
        Ok(Self { fd, path: self.path.join(OsStr::from_bytes(relative)) })
    }

    /// Opens a directory in this one, by its name.
    pub(super) fn child(&self, name: &[u8]) -> Result<Self> {
        if name.is_empty() || name.contains(&b'/') || matches!(name, b"." | b"..") {
            return Err(Error::new(ErrorKind::InvalidInput, "is not the name of a directory"));
        }
        let fd = openat(&self.fd, OsStr::from_bytes(name), DIRECTORY, Mode::empty())?;
        Ok(Self { fd, path: self.path.join(OsStr::from_bytes(name)) })
    }

    /// Opens a regular file below this directory.
    pub(crate) fn file(&self, relative: &[u8]) -> Result<(File, Stat)> {
        let (above, name) = match relative.iter().rposition(|b| *b == b'/') {
            Some(at) => (Some(self.dir(&relative[..at])?), &relative[at + 1..]),
            None => (None, relative),
        };
        if name.is_empty() || relative.starts_with(b"/") {
            return Err(Error::new(ErrorKind::InvalidInput, "is not a plain relative path"));
        }
        parts(name).map(drop)?;
        let dir = above.as_ref().unwrap_or(self);
        // Looked at before it is opened: opening alone can have an effect on a device.
        regular(&dir.stat(name)?)?;
        let file = File::from(openat(&dir.fd, OsStr::from_bytes(name), REGULAR, Mode::empty())?);
        let stat = fstat(&file)?;
        regular(&stat)?;
        Ok((file, stat))
    }

    /// Reads a regular file that must not be larger than `cap`.
    pub(crate) fn read(&self, relative: &[u8], cap: u64) -> Result<Vec<u8>> {
        let too_large = || Error::new(ErrorKind::FileTooLarge, format!("is larger than {cap} bytes"));
        let (file, stat) = self.file(relative)?;
        // One with holes costs nothing to make, and much to read; that it may grow meanwhile is found below.
        if u64::try_from(stat.st_size).is_ok_and(|size| size > cap) {
            return Err(too_large());
        }
        // No more at once than something that has holes may cost.
        let mut bytes = disk::room(u64::try_from(stat.st_size).unwrap_or_default(), AT_ONCE);
        file.take(cap + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > cap { Err(too_large()) } else { Ok(bytes) }
    }

    /// The handle itself.
    pub(crate) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// What lies under this name, without following it.
    pub(crate) fn stat(&self, name: &[u8]) -> Result<Stat> {
        Ok(statat(&self.fd, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// The open directory itself; reading its entries is up to one reader at a time.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// What this directory itself is.
    pub(crate) fn own_stat(&self) -> Result<Stat> {
        Ok(fstat(&self.fd)?)
    }

    /// Where a symlink points to.
    pub(crate) fn link(&self, name: &[u8]) -> Result<Vec<u8>> {
        Ok(readlinkat(&self.fd, OsStr::from_bytes(name), Vec::new())?.into_bytes())
    }

    /// The names in this directory, at most `cap` of them.
    pub(crate) fn names(&self, cap: usize) -> Result<Vec<CString>> {
        Ok(self.entries(cap)?.into_iter().map(|(name, _)| name).collect())
    }

    /// The names in this directory, at most `cap` of them, and what lies there, as far as the file system tells.
    pub(super) fn entries(&self, cap: usize) -> Result<Vec<(CString, FileType)>> {
        let mut entries = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd)? {
            let entry = entry?;
            let name = entry.file_name();
            if name.to_bytes() != b"." && name.to_bytes() != b".." {
                entries.push((name.to_owned(), entry.file_type()));
            }
            if entries.len() > cap {
                return Err(Error::other(format!("has more than {cap} entries")));
            }
        }
        Ok(entries)
    }
}

/// The kind of thing that a stat describes.
pub(crate) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

fn regular(stat: &Stat) -> Result<()> {
    let what = match kind(stat) {
        FileType::RegularFile => return Ok(()),
        FileType::Symlink => "is a symlink",
        FileType::Directory => "is a directory",
        FileType::Fifo => "is a FIFO",
        _ => "is not a regular file",
    };
    Err(Error::new(ErrorKind::InvalidInput, what))
}

fn parts(relative: &[u8]) -> Result<impl Iterator<Item = &[u8]>> {
    let bad = |part: &[u8]| part.is_empty() || part == b"." || part == b".." || part.contains(&0);
    if !relative.is_empty() && relative.split(|b| *b == b'/').any(bad) {
        return Err(Error::new(ErrorKind::InvalidInput, "is not a plain relative path"));
    }
    Ok(relative.split(|b| *b == b'/'))
}
