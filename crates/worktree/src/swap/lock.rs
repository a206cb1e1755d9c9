//! Git's own lock of a ref, or of all packed ones.

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags, flock};

use gix::ObjectId;

use crate::capture::fault;
use crate::disk::Batch;
use crate::{Error, Result, disk};

/// How long to wait for a lock of git's; it is held for milliseconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// How long to wait for one who is seen to be at work.
const LONGER: Duration = Duration::from_secs(60);

/// The lock of the packed refs that was found to be left behind, so that whoever deletes many refs waits for it once.
#[derive(Debug, Default)]
pub(crate) struct Packers {
    left: Cell<Option<Which>>,
}

/// Numbers of files are soon used again; when it was made tells them apart.
type Which = (u64, Option<std::time::SystemTime>);

fn which(path: &Path) -> Option<Which> {
    let meta = path.symlink_metadata().ok()?;
    Some((meta.ino(), meta.created().ok()))
}

impl Packers {
    /// Whether this very lock was waited for in vain.
    pub(super) fn are_gone(&self, common: &Path) -> bool {
        let now = which(&common.join("packed-refs.lock"));
        now.is_some() && now == self.left.get()
    }

    /// Remembers the lock that is there.
    pub(super) fn note(&self, common: &Path) {
        self.left.set(which(&common.join("packed-refs.lock")));
    }
}

/// Waits until whoever holds the lock of the packed refs at this moment has given it up, unless it was left behind.
///
/// It is an error when somebody goes on writing the packed refs: what becomes of a ref is in their hands then.
pub(super) fn wait_for_packer(common: &Path, packers: &Packers) -> Result<()> {
    let path = common.join("packed-refs.lock");
    let which = || which(&path);
    let Some(first) = which() else { return Ok(()) };
    if packers.are_gone(common) {
        return Ok(());
    }
    let started = Instant::now();
    while which() == Some(first) {
        std::thread::sleep(Duration::from_millis(5));
        if started.elapsed() < PATIENCE {
            continue;
        }
        // git keeps what it writes open, and not the lock itself.
        if !is_open(&[&path, &common.join("packed-refs.new")]) {
            packers.note(common);
            return Ok(());
        }
        if started.elapsed() > LONGER {
            return Err(Error::Locked { path, seconds: LONGER.as_secs() });
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Whether a process that we may look at has one of these files open.
fn is_open(files: &[&Path]) -> bool {
    let which = |meta: &std::fs::Metadata| (meta.dev(), meta.ino());
    let files: Vec<_> = files.iter().filter_map(|path| path.symlink_metadata().ok()).map(|m| which(&m)).collect();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = processes.filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit));
    let mut handles = processes.flat_map(|entry| std::fs::read_dir(entry.path().join("fd"))).flatten().flatten();
    // What an open file is called says nothing: through its link in /proc it is itself looked at.
    handles.any(|handle| handle.path().metadata().is_ok_and(|meta| files.contains(&which(&meta))))
}

/// The lock file beside a ref, which git and everybody else respects; released when it is dropped.
pub(super) struct RefLock {
    file: File,
    path: PathBuf,
    resource: PathBuf,
    /// Its second name, by which it can be told to be ours when we are dead.
    signature: Option<PathBuf>,
}

impl RefLock {
    /// Takes the lock, and waits a while for whoever holds it.
    pub(super) fn take(resource: &Path) -> Result<Self> {
        Self::acquire(resource, |path| OpenOptions::new().write(true).create_new(true).open(path))
    }

    /// Takes the lock to delete the ref: as a second name of its file if it is loose, because a new file takes far longer to
    /// make, where others have just been deleted.
    pub(super) fn take_to_delete(resource: &Path) -> Result<Self> {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let loose = OpenOptions::new().read(true).custom_flags(flags).open(resource);
        let Some(loose) = loose.ok().filter(|file| file.metadata().is_ok_and(|found| found.is_file())) else {
            return Self::take(resource);
        };
        let made = |path: &Path| OpenOptions::new().write(true).create_new(true).open(path);
        Self::acquire(resource, |path| match std::fs::hard_link(resource, path) {
            Ok(()) if is_named(&loose, path) => loose.try_clone(),
            // Another file was put in the place of the ref meanwhile. The name is taken, and nobody else removes it.
            Ok(()) => OpenOptions::new().read(true).custom_flags(flags).open(path),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(e),
            // It is gone, perhaps packed, or the file system has no links.
            Err(_) => made(path),
        })
    }

    /// Takes the lock so that it can be told whose it is: it has a second name in `staging`, and its holder has a lock on
    /// it that dies with the process. See [`is_abandoned`]. Where the file system has no links it is as any other.
    pub(super) fn take_signed(resource: &Path, staging: &Path) -> Result<Self> {
        let signature = staging.join(format!("{}.sign", disk::token()?));
        let hold = |file: File| flock(&file, FlockOperation::NonBlockingLockExclusive).map(|()| file);
        let Ok(file) = File::create_new(&signature).and_then(|file| Ok(hold(file)?)) else {
            return Self::take(resource);
        };
        let unsigned = Cell::new(false);
        let taken = Self::acquire(resource, |path| match std::fs::hard_link(&signature, path) {
            Ok(()) => file.try_clone(),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(e),
            Err(e) if e.kind() == ErrorKind::NotFound && signature.exists() => Err(e),
            // Somebody who cleans up took it for a left-over, or the file system has no links.
            Err(_) => {
                unsigned.set(true);
                OpenOptions::new().write(true).create_new(true).open(path)
            }
        });
        match taken {
            Ok(mut lock) if !unsigned.get() => {
                lock.signature = Some(signature);
                Ok(lock)
            }
            taken => {
                disk::remove_file(&signature)?;
                taken
            }
        }
    }

    /// Takes the lock with the content in it already, which was made durable before.
    ///
    /// A process that is killed while it holds the lock leaves it for everybody to stumble over, so what takes long comes
    /// first.
    pub(super) fn take_filled(resource: &Path, staged: &Staged) -> Result<Self> {
        let content = content(staged.id);
        let Some((temporary, prepared)) = &staged.file else {
            let mut lock = Self::take(resource)?;
            lock.fill(&content)?;
            return Ok(lock);
        };
        let write = |mut file: File| {
            file.write_all(&content)?;
            file.sync_all()?;
            Ok(file)
        };
        Self::acquire(resource, |path| match std::fs::hard_link(temporary, path) {
            Ok(()) => prepared.try_clone(),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(e),
            Err(e) if e.kind() == ErrorKind::NotFound && temporary.exists() => Err(e),
            // Somebody who cleans up took it for a left-over, or the file system has no links.
            Err(_) => OpenOptions::new().write(true).create_new(true).open(path).and_then(write),
        })
    }

    fn acquire(resource: &Path, make: impl Fn(&Path) -> io::Result<File>) -> Result<Self> {
        let mut path = resource.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let started = Instant::now();
        loop {
            let e = match make(&path) {
                Ok(file) => return Ok(Self { file, path, resource: resource.to_owned(), signature: None }),
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
        if is_named(&self.file, &self.path) {
            let _ = std::fs::remove_file(&self.path);
        }
        // Last, so that the lock is never without it.
        if let Some(signature) = &self.signature {
            let _ = std::fs::remove_file(signature);
        }
    }
}

/// Whether this is the name of the file.
fn is_named(file: &File, path: &Path) -> bool {
    let there = path.symlink_metadata().map(|there| there.ino());
    there.is_ok_and(|there| file.metadata().is_ok_and(|found| found.ino() == there))
}

/// The content of a ref, written where nobody looks, and removed from there when it is dropped.
#[derive(Debug)]
pub(crate) struct Staged {
    id: ObjectId,
    /// Absent where it could not be written; then it is written once the ref is locked.
    file: Option<(PathBuf, File)>,
}

impl Staged {
    /// Writes it as part of a batch, which must be settled before a ref is set to it.
    pub(crate) fn write(path: PathBuf, id: ObjectId, batch: &mut Batch) -> Self {
        let made = File::create_new(&path).and_then(|mut file| {
            file.write_all(&content(id))?;
            Ok((file.try_clone()?, file))
        });
        let file = made.ok().map(|(file, copy)| {
            batch.add(&path, copy);
            (path, file)
        });
        Self { id, file }
    }

    /// Writes it under a name that nobody else uses, as part of a batch.
    pub(crate) fn begin(common: &Path, id: ObjectId, batch: &mut Batch) -> Result<Self> {
        let name = format!("{}.ref", disk::token()?);
        Ok(Self::write(common.join("hedgerow/staging").join(name), id, batch))
    }

    /// Writes it and makes it durable.
    pub(crate) fn durable(common: &Path, id: ObjectId) -> Result<Self> {
        let mut batch = Batch::default();
        let staged = Self::begin(common, id, &mut batch)?;
        batch.settle()?;
        Ok(staged)
    }

    /// What the ref will name.
    pub(crate) fn id(&self) -> ObjectId {
        self.id
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some((path, _)) = &self.file {
            // What stays is deleted by the next recovery.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn content(id: ObjectId) -> Vec<u8> {
    format!("{id}\n").into_bytes()
}

/// Whether this lock is one of ours, and its holder is dead: nobody else's can ever be told to be abandoned.
pub(crate) fn is_abandoned(lock: &Path, staging: &Path) -> bool {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let Ok(file) = OpenOptions::new().read(true).custom_flags(flags).open(lock) else { return false };
    let which = |meta: &std::fs::Metadata| (meta.dev(), meta.ino());
    let Ok(meta) = file.metadata() else { return false };
    let signatures = std::fs::read_dir(staging).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut signatures = signatures.filter(|path| path.extension().is_some_and(|name| name == "sign"));
    let ours = signatures.any(|path| path.symlink_metadata().is_ok_and(|other| which(&other) == which(&meta)));
    ours && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lock_of_ours_whose_holder_is_gone_is_abandoned() {
        let dir = tempfile::tempdir().unwrap();
        let (resource, lock) = (dir.path().join("packed-refs"), dir.path().join("packed-refs.lock"));
        let staging = dir.path().join("staging");
        std::fs::create_dir(&staging).unwrap();
        std::fs::write(&lock, "").unwrap();
        assert!(!is_abandoned(&lock, &staging), "it is git's");
        std::fs::remove_file(&lock).unwrap();

        let held = RefLock::take_signed(&resource, &staging).unwrap();
        assert!(lock.exists() && !is_abandoned(&lock, &staging), "its holder lives");
        let signature = held.signature.clone().unwrap();
        let kept = dir.path().join("kept");
        std::fs::hard_link(&signature, &kept).unwrap();
        drop(held);
        assert!(!lock.exists() && !signature.exists());
        // As a killed process leaves them.
        std::fs::hard_link(&kept, &lock).unwrap();
        std::fs::rename(&kept, &signature).unwrap();
        assert!(is_abandoned(&lock, &staging));
        std::fs::remove_file(&signature).unwrap();
        assert!(!is_abandoned(&lock, &staging), "nothing says that it is ours");
    }

    #[test]
    fn an_open_file_is_found_whatever_it_is_called() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("packed-refs.new");
        let file = File::create(&path).unwrap();
        assert!(is_open(&[&dir.path().join("nothing"), &path]));
        drop(file);
        assert!(!is_open(&[&path]));
    }

    #[test]
    fn who_deletes_many_refs_waits_once_for_a_lock_that_a_killed_git_left() {
        let dir = tempfile::tempdir().unwrap();
        let (common, lock) = (dir.path(), dir.path().join("packed-refs.lock"));
        std::fs::write(&lock, "").unwrap();
        let packers = Packers::default();
        assert!(!packers.are_gone(common));
        wait_for_packer(common, &packers).unwrap();
        assert!(packers.are_gone(common));
        // Another one may be somebody's at work.
        std::fs::rename(&lock, dir.path().join("kept")).unwrap();
        assert!(!packers.are_gone(common));
        std::fs::write(&lock, "").unwrap();
        assert!(!packers.are_gone(common));
    }
}
