//! Secrets as files in the host lane: in memory, for the user alone, gone with their command.

use std::ffi::CStr;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RawDir};

use crate::run::owned;
use crate::{Command, Error, Result};

/// Where file systems in memory are by convention.
const MEMORY: &str = "/dev/shm";
const TMPFS: u64 = 0x0102_1994;

/// The files of one command.
#[derive(Debug, Default)]
pub(crate) struct SecretFiles {
    directory: Option<PathBuf>,
}

impl SecretFiles {
    /// Writes the command's secrets; nothing for a command without.
    ///
    /// # Errors
    /// [`Error::InvalidSpec`] where nothing in memory can be written: a disk might keep them.
    pub(crate) fn write(command: &Command, id: &str) -> Result<Self> {
        let mut files = command.secrets.iter().filter_map(|s| Some((s.name(), s.as_file()?))).peekable();
        let Some((first, _)) = files.peek() else { return Ok(Self::default()) };
        let in_memory = rustix::fs::statfs(MEMORY).is_ok_and(|found| u64::try_from(found.f_type) == Ok(TMPFS));
        if !in_memory {
            let problem = format!("the host lane keeps files of secrets in {MEMORY}, and that is not in memory here");
            return Err(Error::InvalidSpec { what: format!("the secret {first:?}"), problem });
        }
        // The id is fresh and unguessable, and making a directory follows no link: nobody can have prepared this one.
        let directory = Path::new(MEMORY).join(owned::name(id));
        let failed = |e: io::Error| Error::Lane { action: format!("write a secret below {MEMORY}"), source: e.into() };
        DirBuilder::new().mode(0o700).create(&directory).map_err(failed)?;
        let written = Self { directory: Some(directory.clone()) };
        for (name, content) in files {
            let path = directory.join(name);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o400).open(&path).map_err(failed)?;
            file.write_all(content.bytes()).map_err(failed)?;
        }
        Ok(written)
    }

    /// Where they are, if there are any.
    pub(crate) fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// What a supervisor needs to remove them, in itself and nowhere else: so it can give back what it has of the host's
    /// memory. Must neither allocate nor lock nor panic.
    pub(crate) fn remains(&self) -> Remains {
        let mut remains = Remains { path: [0; ROOM] };
        let path = self.directory.as_deref().map_or(&[][..], |directory| directory.as_os_str().as_bytes());
        // One that had no room would be left to the host; the zero at the end always fits.
        if path.len() < ROOM {
            remains.path.iter_mut().zip(path).for_each(|(to, from)| *to = *from);
        }
        remains
    }
}

/// More than the path of a directory of secrets has.
const ROOM: usize = 160;
/// How often a directory is gone through before it is left to the host. Once is enough, unless somebody adds files.
const ROUNDS: usize = 4;

/// The files of one command, for a supervisor that outlives a host that is killed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Remains {
    path: [u8; ROOM],
}

impl Remains {
    /// Removes them. Must neither allocate nor lock nor panic.
    pub(crate) fn remove(&self) {
        let Ok(path) = CStr::from_bytes_until_nul(&self.path) else { return };
        if path.is_empty() {
            return;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for _ in 0..ROUNDS {
            // Opened again each time, to begin at the beginning.
            let Ok(directory) = rustix::fs::open(path, flags, Mode::empty()) else { return };
            let mut room = [MaybeUninit::uninit(); 2048];
            let mut entries = RawDir::new(&directory, &mut room);
            while let Some(Ok(entry)) = entries.next() {
                // The two entries that every directory has are none that can be unlinked.
                let _kept = rustix::fs::unlinkat(&directory, entry.file_name(), AtFlags::empty());
            }
            if rustix::fs::unlinkat(CWD, path, AtFlags::REMOVEDIR).is_ok() {
                return;
            }
        }
    }
}

impl Drop for SecretFiles {
    fn drop(&mut self) {
        if let Some(directory) = &self.directory {
            // The supervisor has mostly done it already.
            let _gone = fs::remove_dir_all(directory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    #[test]
    fn what_a_supervisor_removes_by_itself_is_all_that_was_written() {
        let mut command = Command::new("x", "/");
        for n in 0..80 {
            command.secrets.push(Secret::file(format!("a-rather-long-name-of-a-secret-{n}"), "value").unwrap());
        }
        let written = SecretFiles::write(&command, &crate::run::token().unwrap()).unwrap();
        let directory = written.directory().unwrap().to_owned();
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 80);
        written.remains().remove();
        assert!(!directory.exists());
        SecretFiles::default().remains().remove();
    }
}
