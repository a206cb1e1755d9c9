//! The lock file beside a ref, which git and all that work with it respect.
//!
//! A lock of git's kind does not say whose it is and outlives its holder. Ours have a second name, under which their holder
//! has them locked for the kernel too, and that ends with the holder. So a lock that a killed process of ours left
//! is known at once, and taken away.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::signed::{Home, Signed};
use crate::flush::Unflushed;
use crate::{Error, Result};

/// How long a lock that another process holds is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
/// The first pause between two attempts; each is twice the one before.
const PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// A lock that is held. Dropped before it is committed, it is released and nothing has changed.
pub(crate) struct Lock {
    /// Its second name, which goes last.
    signed: Option<Signed>,
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

/// Locks a file, which need not exist, to give it this content. `common` is the git directory that all worktrees share.
pub(crate) fn acquire(common: &Path, resource: &Path, content: &[u8]) -> Result<Lock> {
    let path = beside(resource);
    let home = Home::of(common)?;
    home.sweep(&path, resource)?;
    let started = Instant::now();
    let mut pause = PAUSE;
    loop {
        let error = match take(&home, &path, content) {
            Ok(signed) => return Ok(Lock { signed, path, resource: resource.to_owned(), state: State::Held }),
            Err(error) => error,
        };
        match error.kind() {
            ErrorKind::AlreadyExists => {
                if home.sweep(&path, resource)? {
                    continue;
                }
                if started.elapsed() >= PATIENCE {
                    return Err(Error::Locked { path });
                }
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

/// Removes what a killed process of ours left that wanted to change a file.
pub(crate) fn sweep(common: &Path, resource: &Path) -> Result<()> {
    Home::of(common)?.sweep(&beside(resource), resource).map(drop)
}

fn beside(resource: &Path) -> PathBuf {
    let mut path = resource.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

/// Makes the lock file, whole.
fn take(home: &Home, path: &Path, content: &[u8]) -> std::io::Result<Option<Signed>> {
    let signed = home.sign(content)?;
    match fs::hard_link(signed.path(), path) {
        Ok(()) => Ok(Some(signed)),
        Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => Err(error),
        // Some file systems have no second names. Killed there, a lock stays as one of git's does.
        Err(_) => {
            let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
            if let Err(error) = file.write_all(content) {
                let _ = fs::remove_file(path);
                return Err(error);
            }
            Ok(None)
        }
    }
}

impl Lock {
    /// Flushes the content together with all that must be on the disk before it, then puts it in place and releases the lock.
    /// Durable when it returns.
    pub(crate) fn commit(mut self, mut before: Unflushed) -> Result<()> {
        before.add(&self.path);
        before.flush()?;
        // Branches with longer names may have left an empty directory in this one's place.
        let moved = fs::rename(&self.path, &self.resource).or_else(|error| match fs::remove_dir(&self.resource) {
            Ok(()) => fs::rename(&self.path, &self.resource),
            Err(_) => Err(error),
        });
        moved.map_err(Error::git(format!("move {:?} into place", self.path)))?;
        self.state = State::Committed;
        drop(self.signed.take());
        let mut named = Unflushed::default();
        named.add(self.resource.parent().unwrap_or(&self.resource));
        named.flush()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_held_keeps_others_out_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let resource = dir.path().join("refs").join("one");
        let lock = acquire(dir.path(), &resource, b"new\n").unwrap();
        let other = acquire(dir.path(), &resource, b"other\n");
        assert!(matches!(other, Err(Error::Locked { .. })), "a living holder is not swept away");
        lock.commit(Unflushed::default()).unwrap();
        assert_eq!(fs::read(&resource).unwrap(), b"new\n");
        drop(acquire(dir.path(), &resource, b"dropped\n").unwrap());
        assert_eq!(names(&dir.path().join("refs")), ["one"]);
        assert_eq!(fs::read(&resource).unwrap(), b"new\n");
        assert_eq!(names(&Home::of(dir.path()).unwrap().into_path()), Vec::<String>::new());
    }

    #[test]
    fn a_lock_of_git_is_left_alone_and_one_of_a_dead_process_of_ours_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let resource = dir.path().join("one");
        let home = Home::of(dir.path()).unwrap();
        // What a killed process leaves: both names, and nobody who holds them.
        let left = home.clone().into_path().join("left");
        fs::write(&left, "half").unwrap();
        fs::hard_link(&left, dir.path().join("one.lock")).unwrap();
        drop(acquire(dir.path(), &resource, b"new\n").unwrap());
        assert!(!left.exists());
        // The one of another file stays recognizable.
        fs::write(&left, "half").unwrap();
        fs::hard_link(&left, dir.path().join("two.lock")).unwrap();
        drop(acquire(dir.path(), &resource, b"new\n").unwrap());
        drop(acquire(dir.path(), &dir.path().join("two"), b"new\n").unwrap());
        assert!(!left.exists());
        fs::write(dir.path().join("one.lock"), "git's").unwrap();
        assert!(matches!(acquire(dir.path(), &resource, b"new\n"), Err(Error::Locked { .. })));
        assert_eq!(fs::read(dir.path().join("one.lock")).unwrap(), b"git's");
    }
}
