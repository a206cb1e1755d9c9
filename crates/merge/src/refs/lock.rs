//! The lock file beside a ref, which git and all that work with it respect.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// How long a lock that another process holds is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
/// The first pause between two attempts; each is twice the one before.
const PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// A lock that is held. Dropped before it is committed, it is released and nothing has changed.
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
    resource: PathBuf,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Held,
    /// The lock file's name is free again, and may be somebody else's lock by now.
    Committed,
}

/// Locks a file, which need not exist, to give it this content.
///
/// A lock that has exactly this content already, and did not change for as long as a lock is waited for, was left by a
/// process that was killed while it did the same as this one; it is taken over.
pub(crate) fn acquire(resource: &Path, content: &[u8]) -> Result<Lock> {
    let mut path = resource.as_os_str().to_owned();
    path.push(".lock");
    let path = PathBuf::from(path);
    let started = Instant::now();
    let mut pause = PAUSE;
    loop {
        let error = match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => {
                let lock = Lock { file, path, resource: resource.to_owned(), state: State::Held };
                // At once: an empty lock tells nobody whose it was.
                lock.write(content)?;
                return Ok(lock);
            }
            Err(error) => error,
        };
        match error.kind() {
            ErrorKind::AlreadyExists if started.elapsed() >= PATIENCE => {
                if !left_behind(&path, content) {
                    return Err(Error::Locked { path });
                }
                // Should another process do the same at this moment, both write the same.
                fs::remove_file(&path).map_err(Error::git(format!("remove the abandoned {path:?}")))?;
            }
            ErrorKind::AlreadyExists => {
                thread::sleep(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            // The directory went when the last ref in it was packed. It may go again before the next attempt.
            ErrorKind::NotFound if started.elapsed() < PATIENCE => {
                let parent = resource.parent().unwrap_or(resource);
                fs::create_dir_all(parent).map_err(Error::git(format!("create {parent:?}")))?;
            }
            _ => return Err(Error::git(format!("create {path:?}"))(error)),
        }
    }
}

/// Whether a lock is what a killed process left that was about to write this content.
fn left_behind(path: &Path, content: &[u8]) -> bool {
    let old = fs::metadata(path).and_then(|meta| meta.modified()).ok().and_then(|at| at.elapsed().ok());
    old.is_some_and(|age| age >= PATIENCE) && fs::read(path).is_ok_and(|found| found == content)
}

impl Lock {
    /// Writes and flushes what the locked file will contain.
    fn write(&self, content: &[u8]) -> Result<()> {
        let mut file = &self.file;
        file.write_all(content).and_then(|()| file.sync_all()).map_err(Error::git(format!("write {:?}", self.path)))
    }

    /// Puts the content in place and releases the lock.
    pub(crate) fn commit(mut self) -> Result<()> {
        // Branches with longer names may have left an empty directory in this one's place.
        let moved = fs::rename(&self.path, &self.resource).or_else(|error| match fs::remove_dir(&self.resource) {
            Ok(()) => fs::rename(&self.path, &self.resource),
            Err(_) => Err(error),
        });
        moved.map_err(Error::git(format!("move {:?} into place", self.path)))?;
        self.state = State::Committed;
        Ok(())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.state == State::Held {
            // Nothing can be done about a failure here; the next to want the lock says so.
            let _ = fs::remove_file(&self.path);
        }
    }
}
