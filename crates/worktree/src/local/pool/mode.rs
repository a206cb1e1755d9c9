//! The owner and the modes that a new directory and its files get here and now.

use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FileType, Stat, fgetxattr, flistxattr};
use rustix::io::Errno;

use crate::Result;
use crate::capture::beneath::{self, Dir};
use crate::capture::fault;

/// What a directory that was just made looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fresh {
    /// Its permissions, with what it inherited from the directory around it.
    pub(super) mode: u32,
    owner: (u32, u32),
    /// Access lists and labels.
    extended: Vec<u8>,
}

impl Fresh {
    /// Makes a directory at this path, looks at it, and removes it.
    pub(super) fn probe(at: &Path) -> Result<Self> {
        Self::probe_made(at, || {})
    }

    /// As [`probe`](Self::probe), and calls this each time that the directory was made.
    fn probe_made(at: &Path, mut made: impl FnMut()) -> Result<Self> {
        /// Who sweeps may remove it before it was looked at, which is not to be expected more than once.
        const TRIES: usize = 16;
        let mut tries = 1;
        loop {
            std::fs::create_dir(at).map_err(fault::io("create", at))?;
            made();
            let found = Dir::open(at).and_then(|dir| {
                let stat = dir.own_stat()?;
                Ok(Self { mode: permissions(&stat), owner: (stat.st_uid, stat.st_gid), extended: extended(dir.fd())? })
            });
            match std::fs::remove_dir(at) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(fault::io("remove", at)(e)),
                _ => {}
            }
            match found {
                Err(e) if e.kind() == ErrorKind::NotFound && tries < TRIES => tries += 1,
                found => return found.map_err(fault::io("look at", at)),
            }
        }
    }

    /// Whether a directory has the owner and the access lists of a new one; its mode is another matter.
    pub(super) fn owns(&self, dir: &Dir) -> bool {
        let same = |stat: Stat| (stat.st_uid, stat.st_gid) == self.owner;
        dir.own_stat().is_ok_and(same) && extended(dir.fd()).is_ok_and(|found| found == self.extended)
    }

    /// The permissions that a file gets.
    pub(super) fn of_file(&self, executable: bool) -> u32 {
        self.mode & if executable { 0o777 } else { 0o666 }
    }
}

/// The permissions in a stat.
pub(super) fn permissions(stat: &Stat) -> u32 {
    stat.st_mode & 0o7777
}

/// Whether it is a directory.
pub(super) fn is_dir(stat: &Stat) -> bool {
    beneath::kind(stat) == FileType::Directory
}

/// All extended attributes, as one text.
fn extended(fd: &OwnedFd) -> std::io::Result<Vec<u8>> {
    let mut names = vec![0_u8; 64 << 10];
    let length = match flistxattr(fd, &mut names[..]) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => 0,
        listed => listed?,
    };
    names.truncate(length);
    let mut text = Vec::new();
    let mut value = vec![0_u8; 64 << 10];
    for name in names.split(|b| *b == 0).filter(|name| !name.is_empty()) {
        let length = fgetxattr(fd, name, &mut value[..])?;
        text.extend_from_slice(name);
        text.push(0);
        text.extend_from_slice(&value[..length]);
        text.push(0);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_that_another_process_sweeps_away_is_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("x.probe");
        let mut made = 0;
        let swept = Fresh::probe_made(&at, || {
            made += 1;
            if made < 16 {
                std::fs::remove_dir(&at).unwrap();
            }
        });
        assert_eq!(swept.unwrap(), Fresh::probe(&at).unwrap());
        assert_eq!(made, 16);
        assert!(!at.exists());
    }

    #[test]
    fn a_probe_that_is_swept_away_every_time_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("x.probe");
        let swept = Fresh::probe_made(&at, || std::fs::remove_dir(&at).unwrap());
        assert!(swept.unwrap_err().to_string().contains("x.probe"));
    }
}
