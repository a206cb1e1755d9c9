//! Makes one file: its content copied or written, its time settled, its stat data taken.

use std::fs::File;
use std::io::{Error, Read, Result, Seek, Write};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use gix::index::entry::{self, Mode as EntryMode};
use rustix::fs::{
    Mode, OFlags, ResolveFlags, Timespec, Timestamps, UTIME_OMIT, copy_file_range, fstat, futimens, ioctl_ficlone,
    openat, openat2,
};

use super::stat;

/// A file up to this size is copied through memory, which takes the kernel less than setting up a transfer.
const SMALL: u64 = 16 << 10;

/// How a file is made.
const NEW: OFlags =
    OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The user's mask takes away what it shall, as it does from git.
fn permissions(mode: EntryMode) -> Mode {
    Mode::from_raw_mode(if mode == EntryMode::FILE_EXECUTABLE { 0o777 } else { 0o666 })
}

/// How the content of a file came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// Every byte was copied.
    Copied,
    /// The file system shares the data with the donor's file.
    Reflinked,
}

/// A new file that is still open.
pub(super) struct New(File);

impl New {
    /// Makes a file where nothing is.
    pub(super) fn create(dir: &OwnedFd, name: &[u8], mode: EntryMode) -> Result<Self> {
        Ok(Self(openat(dir, name, NEW, permissions(mode))?.into()))
    }

    /// As [`Self::create`], by its whole path in a tree that has no symlinks. Fails as well where the kernel cannot
    /// promise to follow none.
    pub(super) fn create_below(root: &OwnedFd, path: &[u8], mode: EntryMode) -> rustix::io::Result<Self> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        Ok(Self(openat2(root, path, NEW, permissions(mode), resolve)?.into()))
    }

    /// Writes its content.
    pub(super) fn write(&mut self, content: &[u8]) -> Result<()> {
        self.0.write_all(content)
    }

    /// Gives it the content of an open file with this stat data, and says how. None when that file is not what it was.
    pub(super) fn copy(
        &mut self,
        source: &File,
        recorded: &entry::Stat,
        reflinks: &AtomicBool,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<Came>> {
        let size = u64::from(recorded.size);
        let came = self.transfer(source, size, reflinks, buffer)?;
        // Looked at last: whoever writes to it meanwhile changes its times.
        let same = stat::kept(&fstat(source)?) == *recorded;
        if came.is_some() && same {
            return Ok(came);
        }
        self.0.set_len(0)?;
        self.0.rewind()?;
        Ok(None)
    }

    fn transfer(
        &mut self,
        source: &File,
        size: u64,
        reflinks: &AtomicBool,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<Came>> {
        if size > 0 && reflinks.load(Ordering::Relaxed) {
            match ioctl_ficlone(&self.0, source) {
                Ok(()) => return Ok(Some(Came::Reflinked)),
                // The file system cannot, or these two are not one.
                Err(_) => reflinks.store(false, Ordering::Relaxed),
            }
        }
        if size > SMALL {
            let mut left = size;
            while left > 0 {
                let most = usize::try_from(left).unwrap_or(usize::MAX);
                match copy_file_range(source, None, &self.0, None, most) {
                    Ok(0) => return Ok(None),
                    Ok(copied) => left -= copied as u64,
                    Err(_) if left == size => break,
                    Err(e) => return Err(e.into()),
                }
            }
            if left == 0 {
                return Ok(Some(Came::Copied));
            }
        }
        buffer.clear();
        source.take(size + 1).read_to_end(buffer)?;
        if buffer.len() as u64 != size {
            return Ok(None);
        }
        self.0.write_all(buffer)?;
        Ok(Some(Came::Copied))
    }

    /// Gives it its time, and returns the stat data that the index shall have.
    pub(super) fn settle(self, settled: Timespec) -> Result<entry::Stat> {
        futimens(&self.0, &times(settled))?;
        Ok(stat::kept(&fstat(&self.0)?))
    }
}

/// The times of a file that has not been changed since.
pub(super) fn times(settled: Timespec) -> Timestamps {
    Timestamps { last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }, last_modification: settled }
}

/// Opens a file of the donor that was found to be a regular one.
pub(super) fn open(dir: &OwnedFd, name: &[u8]) -> Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(openat(dir, name, flags, Mode::empty()).map_err(Error::from)?.into())
}
