//! Git's own lock of a ref, or of all packed ones.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::capture::fault;
use crate::{Error, Result, disk};

/// How long to wait for a lock of git's; it is held for milliseconds.
const PATIENCE: Duration = Duration::from_secs(3);

/// Waits until whoever holds the lock at this moment has given it up, unless it was left behind.
pub(super) fn wait_for_holder(resource: &Path) {
    let mut path = resource.as_os_str().to_owned();
    path.push(".lock");
    // Numbers of files are soon used again; when it was made tells them apart.
    let which = || {
        let meta = Path::new(&path).symlink_metadata().ok()?;
        Some((meta.ino(), meta.created().ok()))
    };
    let Some(first) = which() else { return };
    let started = Instant::now();
    while started.elapsed() < PATIENCE && which() == Some(first) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The lock file beside a ref, which git and everybody else respects; released when it is dropped.
pub(super) struct RefLock {
    file: File,
    path: PathBuf,
    resource: PathBuf,
}

impl RefLock {
    /// Takes the lock, and waits a while for whoever holds it.
    pub(super) fn take(resource: &Path) -> Result<Self> {
        Self::acquire(resource, |path| OpenOptions::new().write(true).create_new(true).open(path))
    }

    /// Takes the lock with the content in it already, which is made durable in `staging` before.
    ///
    /// A process that is killed while it holds the lock leaves it for everybody to stumble over, so what takes long comes
    /// first.
    pub(super) fn take_filled(resource: &Path, staging: &Path, content: &[u8]) -> Result<Self> {
        let write = |mut file: File| {
            file.write_all(content)?;
            file.sync_all()?;
            Ok(file)
        };
        let temporary = staging.join(format!("{}.ref", disk::token()?));
        let Ok(prepared) = File::create_new(&temporary).and_then(write) else {
            let mut lock = Self::take(resource)?;
            lock.fill(content)?;
            return Ok(lock);
        };
        let taken = Self::acquire(resource, |path| match std::fs::hard_link(&temporary, path) {
            Ok(()) => prepared.try_clone(),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(e),
            Err(e) if e.kind() == ErrorKind::NotFound && temporary.exists() => Err(e),
            // Somebody who cleans up took it for a left-over, or the file system has no links.
            Err(_) => OpenOptions::new().write(true).create_new(true).open(path).and_then(write),
        });
        disk::remove_file(&temporary)?;
        taken
    }

    fn acquire(resource: &Path, make: impl Fn(&Path) -> io::Result<File>) -> Result<Self> {
        let mut path = resource.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let started = Instant::now();
        loop {
            let e = match make(&path) {
                Ok(file) => return Ok(Self { file, path, resource: resource.to_owned() }),
                Err(e) => e,
            };
            match e.kind() {
                ErrorKind::AlreadyExists if started.elapsed() > PATIENCE => {
                    return Err(Error::Locked { path, seconds: PATIENCE.as_secs() });
                }
                ErrorKind::AlreadyExists => std::thread::sleep(Duration::from_millis(5)),
                // Not there yet, or removed by somebody who left it empty.
                ErrorKind::NotFound if started.elapsed() < PATIENCE => {
                    let parent = resource.parent().unwrap_or(resource);
                    match std::fs::create_dir_all(parent) {
                        // Somebody who packs refs removes what they leave empty.
                        Err(e) if e.kind() == ErrorKind::NotFound => {}
                        made => made.map_err(fault::io("create", parent))?,
                    }
                }
                _ => return Err(fault::io("lock", path)(e)),
            }
        }
    }

    /// Writes the content that shall be put in place, durably.
    pub(super) fn fill(&mut self, content: &[u8]) -> Result<()> {
        let written = self.file.write_all(content).and_then(|()| self.file.sync_all());
        written.map_err(fault::io("write", &self.path))
    }

    /// Gives what will be put in place these permissions.
    pub(super) fn permit(&self, mode: u32) -> Result<()> {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        self.file.set_permissions(permissions).map_err(fault::io("write", &self.path))
    }

    /// Puts in place what was written.
    pub(super) fn commit(self) -> Result<()> {
        // Shorter names find empty directories in their place where longer ones were.
        let put =
            self.rename().or_else(|e| std::fs::remove_dir(&self.resource).map_err(|_| e).and_then(|()| self.rename()));
        put.map_err(fault::io("write", &self.resource))
    }

    fn rename(&self) -> io::Result<()> {
        std::fs::rename(&self.path, &self.resource)
    }
}

impl Drop for RefLock {
    fn drop(&mut self) {
        // After a commit the name is free, and perhaps somebody else's lock.
        let mine = |file: &File| {
            let there = self.path.symlink_metadata().ok()?;
            Some(file.metadata().ok()?.ino() == there.ino())
        };
        if mine(&self.file) == Some(true) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
