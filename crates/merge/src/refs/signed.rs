//! The second names of locks, by which those of dead processes are told from those of others.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{FlockOperation, flock};

use crate::{Error, Result};

/// Where they are, below the git directory that all worktrees share.
const HOME: &str = "hedgerow-merge/locks";

/// The directory of second names.
#[derive(Clone, Debug)]
pub(super) struct Home(PathBuf);

/// A file that its holder has locked for the kernel; its name goes when it is dropped.
pub(super) struct Signed {
    path: PathBuf,
    /// Closing it gives up the kernel's lock.
    file: File,
}

impl Home {
    pub(super) fn of(common: &Path) -> Result<Self> {
        let path = common.join(HOME);
        fs::create_dir_all(&path).map_err(Error::git(format!("create {path:?}")))?;
        Ok(Self(path))
    }

    #[cfg(test)]
    pub(super) fn into_path(self) -> PathBuf {
        self.0
    }

    /// Makes a file with this content that is ours as long as we live.
    pub(super) fn sign(&self, content: &[u8]) -> io::Result<Signed> {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        for n in 0_u32.. {
            let path = self.0.join(format!("{}-{}-{n}", std::process::id(), since.as_nanos()));
            let file = match OpenOptions::new().write(true).create_new(true).open(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                opened => opened?,
            };
            // Somebody who sweeps may have been quicker, and removes it.
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                continue;
            }
            let mut signed = Signed { path, file };
            signed.file.write_all(content)?;
            return Ok(signed);
        }
        Err(io::Error::other("no name is free"))
    }

    /// Removes what dead processes left here that wanted to change `resource`, and its lock file if it is one of them; says
    /// whether it was. Second names of other locks stay, because by them others see that those are abandoned.
    pub(super) fn sweep(&self, lock: &Path, resource: &Path) -> Result<bool> {
        let failed = || Error::git(format!("look for abandoned locks in {:?}", self.0));
        let mut freed = false;
        for entry in fs::read_dir(&self.0).map_err(failed())? {
            let path = entry.map_err(failed())?.path();
            let Some(file) = (match File::open(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                opened => Some(opened.map_err(failed())?),
            }) else {
                continue;
            };
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                continue;
            }
            // Only now that nobody else can think the same of this file does it mean anything what the lock is.
            if is(&file, lock).map_err(failed())? {
                fs::remove_file(lock).map_err(failed())?;
                freed = true;
            } else if file.metadata().map_err(failed())?.nlink() > 1 {
                // In place already, it is no lock any more. A detached checkout's is of the same landing.
                let head = self.0.join("../../HEAD");
                if !is(&file, resource).map_err(failed())? && !is(&file, &head).map_err(failed())? {
                    continue;
                }
            }
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed()(error)),
                _ => {}
            }
        }
        Ok(freed)
    }
}

/// Whether a path names this open file.
fn is(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match path.symlink_metadata() {
        Ok(named) => Ok((open.dev(), open.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl Signed {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Signed {
    fn drop(&mut self) {
        // What is left is swept by whoever meets a lock.
        let _ = fs::remove_file(&self.path);
    }
}
