//! Making what was written survive a power failure.
//!
//! A flush waits for the disk. Several that wait at the same time cost little more than one, because file systems bring
//! them to the disk together; one after the other, each costs a whole one.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::{Error, Result};

/// How many flushes wait at the same time.
const LANES: usize = 16;

/// Files and directories that were changed and are not on the disk for certain.
#[derive(Debug, Default)]
#[must_use = "what was written may not survive a power failure"]
pub(crate) struct Unflushed(BTreeSet<PathBuf>);

impl Unflushed {
    /// A file or directory. One that does not exist any more needs no flush.
    pub(crate) fn add(&mut self, path: impl Into<PathBuf>) {
        self.0.insert(path.into());
    }

    /// A file and the directory that names it.
    pub(crate) fn add_named(&mut self, file: &Path) {
        self.add(file);
        self.0.extend(file.parent().map(Path::to_path_buf));
    }

    /// What was there together with what `other` has.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Waits until all of it is on the disk.
    pub(crate) fn flush(self) -> Result<()> {
        let paths: Vec<_> = self.0.into_iter().collect();
        let next = AtomicUsize::new(0);
        let failed = Mutex::new(None);
        let work = || {
            while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(error) = one(path)
                    && let Ok(mut failed) = failed.lock()
                {
                    failed.get_or_insert((path, error));
                }
            }
        };
        thread::scope(|scope| {
            for _ in 1..paths.len().min(LANES) {
                // Without another thread, this one does it all.
                let _ = thread::Builder::new().spawn_scoped(scope, work);
            }
            work();
        });
        match failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
            Some((path, error)) => Err(Error::git(format!("flush {path:?} to the disk"))(error)),
            None => Ok(()),
        }
    }
}

fn one(path: &Path) -> io::Result<()> {
    match File::open(path).and_then(|file| file.sync_all()) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        flushed => flushed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_flushed_is_named_and_what_is_gone_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let mut all = Unflushed::default();
        for n in 0..3 * LANES {
            let file = dir.path().join(n.to_string());
            std::fs::write(&file, "x").unwrap();
            all.add_named(&file);
        }
        all.add(dir.path().join("gone"));
        all.flush().unwrap();
        let mut bad = Unflushed::default();
        // A path that goes through a file.
        bad.add(dir.path().join("0").join("below"));
        let error = bad.flush().unwrap_err();
        assert!(error.to_string().contains("below"), "{error}");
    }
}
