//! Compare-and-swap of one ref under git's own locks.
//!
//! Not with the library's transactions: they look at `packed-refs` before they have the lock, so that a ref that is moved
//! and packed in between is overwritten, and they take a ref that exists already with the wanted value for a new one.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gix::ObjectId;

use super::{disk, packed};
use crate::capture::fault;
use crate::{Error, Result};

/// How long to wait for a lock of git's; it is held for milliseconds.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a ref is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// There is none.
    Missing,
    /// It names an object.
    Id(ObjectId),
    /// It names another ref, or is damaged.
    Other,
}

/// Reads a ref, loose or packed.
pub(super) fn read(common: &Path, name: &str) -> Result<Value> {
    let path = common.join(name);
    match disk::read_small(&path) {
        Ok(text) => return Ok(value(text.trim_ascii_end())),
        // A directory of longer names, or nothing. What was packed meanwhile is in the packed refs by now.
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) || path.is_dir() => {}
        Err(e) => return Err(fault::io("read", path)(e)),
    }
    Ok(packed::find(&packed_text(common)?, name).map_or(Value::Missing, value))
}

/// Makes a ref name this object if it is as `allowed` says, and says what it was.
pub(super) fn set(common: &Path, name: &str, new: ObjectId, allowed: impl Fn(Value) -> bool) -> Result<Value> {
    let lock = RefLock::take(&common.join(name))?;
    let found = read(common, name)?;
    if allowed(found) {
        lock.commit(format!("{new}\n").as_bytes())?;
    }
    Ok(found)
}

/// Deletes a ref and its reflog if it is as `allowed` says, and says what it was.
pub(super) fn delete(common: &Path, name: &str, allowed: impl Fn(Value) -> bool) -> Result<Value> {
    let path = common.join(name);
    let lock = RefLock::take(&path)?;
    let packed_lock = RefLock::take(&common.join("packed-refs"));
    let found = read(common, name)?;
    if found == Value::Missing || !allowed(found) {
        return Ok(found);
    }
    let text = packed_text(common)?;
    match packed_lock {
        // First, so that the old value never shines through.
        Ok(lock) if packed::find(&text, name).is_some() => lock.commit(&packed::without(&text, name))?,
        Ok(lock) => drop(lock),
        // Held for so long it was left behind by a killed git, which then is not packing this ref either.
        Err(Error::Locked { .. }) if packed::find(&text, name).is_none() => {}
        Err(e) => return Err(e),
    }
    if !path.is_dir() {
        disk::remove_file(&path)?;
    }
    let log = common.join("logs").join(name);
    let _ = std::fs::remove_file(&log);
    drop(lock);
    for (path, root) in [(path, common.join("refs")), (log, common.join("logs/refs"))] {
        remove_empty(&path, &root);
    }
    Ok(found)
}

fn value(text: &[u8]) -> Value {
    ObjectId::from_hex(text).map_or(Value::Other, Value::Id)
}

fn packed_text(common: &Path) -> Result<Vec<u8>> {
    let path = common.join("packed-refs");
    match std::fs::read(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        read => read.map_err(fault::io("read", path)),
    }
}

/// Removes the directories that the ref leaves empty, like git, but never `refs/heads` itself.
fn remove_empty(path: &Path, root: &Path) {
    let within = |dir: &&Path| dir.strip_prefix(root).is_ok_and(|rest| rest.components().count() > 1);
    for dir in path.ancestors().skip(1).take_while(within) {
        if std::fs::remove_dir(dir).is_err() {
            break;
        }
    }
}

/// The lock file beside a ref, which git and everybody else respects; released when it is dropped.
struct RefLock {
    file: File,
    path: PathBuf,
    resource: PathBuf,
}

impl RefLock {
    fn take(resource: &Path) -> Result<Self> {
        let mut path = resource.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let started = Instant::now();
        loop {
            let e = match OpenOptions::new().write(true).create_new(true).open(&path) {
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
                    std::fs::create_dir_all(parent).map_err(fault::io("create", parent))?;
                }
                _ => return Err(fault::io("lock", path)(e)),
            }
        }
    }

    /// Puts new content in place, durably.
    fn commit(mut self, content: &[u8]) -> Result<()> {
        self.put(content).map_err(fault::io("write", &self.resource))
    }

    fn put(&mut self, content: &[u8]) -> io::Result<()> {
        self.file.write_all(content)?;
        self.file.sync_all()?;
        // Shorter names find empty directories in their place where longer ones were.
        std::fs::rename(&self.path, &self.resource)
            .or_else(|e| std::fs::remove_dir(&self.resource).map_err(|_| e).and_then(|()| self.rename()))
    }

    fn rename(&self) -> io::Result<()> {
        std::fs::rename(&self.path, &self.resource)
    }
}

impl Drop for RefLock {
    fn drop(&mut self) {
        // After a commit the name is free, and perhaps somebody else's lock.
        let mine = |file: &File| {
            use std::os::unix::fs::MetadataExt;
            let there = self.path.symlink_metadata().ok()?;
            Some(file.metadata().ok()?.ino() == there.ino())
        };
        if mine(&self.file) == Some(true) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: char) -> ObjectId {
        ObjectId::from_hex(digit.to_string().repeat(40).as_bytes()).unwrap()
    }

    fn common() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("refs/heads")).unwrap();
        dir
    }

    #[test]
    fn a_ref_is_set_only_from_what_is_allowed() {
        let dir = common();
        let missing = |value| value == Value::Missing;
        assert_eq!(set(dir.path(), "refs/heads/a/b", id('1'), missing).unwrap(), Value::Missing);
        assert_eq!(set(dir.path(), "refs/heads/a/b", id('2'), missing).unwrap(), Value::Id(id('1')));
        assert_eq!(read(dir.path(), "refs/heads/a/b").unwrap(), Value::Id(id('1')));
        assert!(!dir.path().join("refs/heads/a/b.lock").exists());
    }

    #[test]
    fn a_deleted_ref_is_gone_loose_and_packed_with_its_empty_directories() {
        let dir = common();
        let packed = format!("# pack-refs with: sorted \n{} refs/heads/a/b\n{} refs/heads/c\n", id('1'), id('3'));
        std::fs::write(dir.path().join("packed-refs"), packed).unwrap();
        set(dir.path(), "refs/heads/a/b", id('2'), |_| true).unwrap();
        assert_eq!(delete(dir.path(), "refs/heads/a/b", |v| v == Value::Id(id('1'))).unwrap(), Value::Id(id('2')));
        assert_eq!(read(dir.path(), "refs/heads/a/b").unwrap(), Value::Id(id('2')), "deleted from the wrong value");
        delete(dir.path(), "refs/heads/a/b", |v| v == Value::Id(id('2'))).unwrap();
        assert_eq!(read(dir.path(), "refs/heads/a/b").unwrap(), Value::Missing);
        assert_eq!(read(dir.path(), "refs/heads/c").unwrap(), Value::Id(id('3')));
        assert!(!dir.path().join("refs/heads/a").exists() && dir.path().join("refs/heads").exists());
        assert!(!dir.path().join("packed-refs.lock").exists());
        set(dir.path(), "refs/heads/a", id('4'), |v| v == Value::Missing).unwrap();
    }
}
