//! Locks that die with their holder.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags};
use rustix::io::Errno;

use crate::capture::fault;
use crate::{Error, Result};

/// How long to wait for other processes; what they do under the lock takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the threads of one manager wait for each other, so that only one of them at a time polls a lock.
#[derive(Debug, Default)]
pub(super) struct Gate {
    taken: Mutex<bool>,
    freed: Condvar,
}

/// An exclusive lock on a file, behind a [`Gate`].
#[derive(Debug)]
pub(super) struct Turn {
    lock: Option<Lock>,
    gate: Arc<Gate>,
}

impl Turn {
    /// Waits for the lock, for a minute at most.
    pub(super) fn wait(gate: &Arc<Gate>, path: &Path) -> Result<Self> {
        let started = Instant::now();
        let taken = gate.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = gate.freed.wait_timeout_while(taken, PATIENCE, |taken| *taken);
        let (mut taken, over) = waited.unwrap_or_else(PoisonError::into_inner);
        if over.timed_out() {
            return Err(Error::Locked { path: path.to_owned(), seconds: PATIENCE.as_secs() });
        }
        *taken = true;
        drop(taken);
        // From here on it is freed, whatever happens.
        let mut turn = Self { lock: None, gate: Arc::clone(gate) };
        turn.lock = Some(Lock::wait_since(started, path)?);
        Ok(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.lock.take());
        *self.gate.taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.gate.freed.notify_one();
    }
}

/// An exclusive lock on a file, given up when it is dropped or its process dies.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Waits for the lock, for a minute at most.
    pub(super) fn wait(path: &Path) -> Result<Self> {
        Self::wait_since(Instant::now(), path)
    }

    fn wait_since(started: Instant, path: &Path) -> Result<Self> {
        let mut pause = Duration::from_micros(100);
        loop {
            if let Some(lock) = Self::take(path)? {
                return Ok(lock);
            }
            if started.elapsed() > PATIENCE {
                return Err(Error::Locked { path: path.to_owned(), seconds: PATIENCE.as_secs() });
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    /// Takes the lock unless somebody else has it; the file is created.
    pub(super) fn take(path: &Path) -> Result<Option<Self>> {
        let open = || options().create(true).truncate(false).mode(0o600).open(path);
        let taken = open().and_then(|file| Self::flock(file, path));
        taken.map_err(fault::io("lock", path))
    }

    /// Whether somebody holds the lock at this moment.
    pub(super) fn is_held(path: &Path) -> Result<bool> {
        let free = match options().open(path) {
            Ok(file) => Self::flock(file, path).map(|lock| lock.is_some()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(e) => Err(e),
        };
        free.map(|free| !free).map_err(fault::io("lock", path))
    }

    fn flock(file: File, path: &Path) -> io::Result<Option<Self>> {
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(e) => return Err(e.into()),
        }
        // The file may have been unlinked between opening and locking; a lock on it would exclude nobody.
        let mine = file.metadata()?.ino();
        let current = path.symlink_metadata().is_ok_and(|meta| meta.ino() == mine);
        Ok(current.then_some(Self(file)))
    }
}

/// How a lock file is opened: whatever somebody has put there, it is not followed and nobody waits for it.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    options
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone would leave it held for as long as a child that was forked at this moment has not executed yet.
        let _ = rustix::fs::flock(&self.0, FlockOperation::Unlock);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_free_once_dropped_even_while_a_copy_of_its_file_lives() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        assert!(!Lock::is_held(&path).unwrap());
        let lock = Lock::take(&path).unwrap().unwrap();
        assert!(Lock::is_held(&path).unwrap());
        assert!(Lock::take(&path).unwrap().is_none());
        let _copy = lock.0.try_clone().unwrap();
        drop(lock);
        assert!(!Lock::is_held(&path).unwrap());
    }

    #[test]
    fn threads_that_wait_at_a_gate_get_the_lock_one_after_the_other_also_after_a_failure() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let gate = Arc::new(Gate::default());
        Turn::wait(&gate, &dir.path().join("no/such/lock")).unwrap_err();
        let inside = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let _turn = Turn::wait(&gate, &path).unwrap();
                        assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                        assert!(Lock::take(&path).unwrap().is_none(), "others do not see that it is held");
                        inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    }
                });
            }
        });
    }

    #[test]
    fn a_lock_on_a_file_that_was_unlinked_meanwhile_excludes_nobody_and_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let file = File::create(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(Lock::flock(file, &path).unwrap().is_none());
        assert!(Lock::take(&path).unwrap().is_some());
    }
}
