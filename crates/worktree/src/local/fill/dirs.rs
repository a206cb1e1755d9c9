//! The directory that is being filled, held open together with its counterpart in the donor.

use std::os::fd::OwnedFd;

use gix::bstr::BStr;
use gix::index::entry::Mode as EntryMode;
use rustix::fs::{Mode, OFlags, mkdirat, openat};
use rustix::io::Errno;

use super::donor::Donor;
use super::file::New;
use super::worker::split;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// One directory on the way down.
struct Level {
    /// How much of the path leads here.
    end: usize,
    target: OwnedFd,
    /// None when the donor has no such directory, or when its files may have been converted in another way.
    source: Option<OwnedFd>,
}

/// Where a thread writes. Each keeps its own, so that a path is looked up once for all files of a directory.
pub(super) struct Dirs<'a> {
    donor: Option<&'a Donor>,
    /// The root first.
    levels: Vec<Level>,
    path: Vec<u8>,
}

impl<'a> Dirs<'a> {
    /// At the root of the new tree.
    pub(super) fn new(target: &OwnedFd, donor: Option<&'a Donor>) -> Result<Self, Errno> {
        let here = openat(target, c".", DIRECTORY, Mode::empty())?;
        let source = match donor {
            Some(donor) => openat(donor.root(), c".", DIRECTORY, Mode::empty()).ok(),
            None => None,
        };
        let source = source.filter(|source| donor.is_some_and(|donor| donor.converts_alike(source, b"")));
        Ok(Self { donor, levels: vec![Level { end: 0, target: here, source }], path: Vec::new() })
    }

    /// Goes to this directory, and makes it and those above it where they are missing.
    pub(super) fn enter(&mut self, dir: &[u8]) -> Result<(), Errno> {
        if dir == self.path {
            return Ok(());
        }
        let shared = |level: &Level| {
            level.end == 0
                || (dir.starts_with(&self.path[..level.end]) && matches!(dir.get(level.end), None | Some(b'/')))
        };
        let keep = self.levels.iter().take_while(|level| shared(level)).count();
        self.levels.truncate(keep);
        let mut start = self.levels[keep - 1].end;
        self.path.truncate(start);
        while start < dir.len() {
            let from = if start == 0 { 0 } else { start + 1 };
            let end = dir[from..].iter().position(|b| *b == b'/').map_or(dir.len(), |at| from + at);
            let (target, source) = self.step(&dir[from..end], &dir[..end])?;
            self.path.extend_from_slice(&dir[start..end]);
            self.levels.push(Level { end, target, source });
            start = end;
        }
        Ok(())
    }

    /// Makes a file at this path, and the directories above it where they are missing.
    ///
    /// Unlike [`Self::enter`] it is made for paths in any order.
    pub(super) fn create(&mut self, path: &BStr, mode: EntryMode) -> std::io::Result<New> {
        let (dir, name) = split(path);
        if dir != self.path {
            match New::create_below(&self.levels[0].target, path, mode) {
                Ok(new) => return Ok(new),
                // A directory is missing, the path is longer than the kernel takes, or there is no such system call.
                Err(Errno::NOENT | Errno::NAMETOOLONG | Errno::NOSYS | Errno::PERM | Errno::AGAIN) => {}
                Err(e) => return Err(e.into()),
            }
            self.enter(dir)?;
        }
        New::create(self.target(), name, mode)
    }

    fn step(&self, name: &[u8], path: &[u8]) -> Result<(OwnedFd, Option<OwnedFd>), Errno> {
        let above = &self.levels[self.levels.len() - 1];
        match mkdirat(&above.target, name, Mode::RWXU | Mode::RWXG | Mode::RWXO) {
            // Another thread made it, or something else is there, which is then not entered.
            Ok(()) | Err(Errno::EXIST) => {}
            Err(e) => return Err(e),
        }
        let target = openat(&above.target, name, DIRECTORY, Mode::empty())?;
        let source = above.source.as_ref().and_then(|source| openat(source, name, DIRECTORY, Mode::empty()).ok());
        let source = source.filter(|source| self.donor.is_some_and(|donor| donor.converts_alike(source, path)));
        Ok((target, source))
    }

    /// The directory that was entered last.
    pub(super) fn target(&self) -> &OwnedFd {
        &self.levels[self.levels.len() - 1].target
    }

    /// The same directory of the donor, if files can be taken from it.
    pub(super) fn source(&self) -> Option<&OwnedFd> {
        self.levels[self.levels.len() - 1].source.as_ref()
    }
}
