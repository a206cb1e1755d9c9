//! Deletes a directory that may hold anything.
//!
//! No path is ever resolved twice and no symlink followed, whatever is exchanged meanwhile; directories without
//! permissions are opened up; depth costs nothing, because every directory is first moved to the top.

use std::ffi::{CStr, CString, OsStr};
use std::fs::{File, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

/// How many threads delete one tree, this one included. More would only get into the way of those who work.
const THREADS: usize = 2;

/// Deletes whatever is at this path; it may be missing. Goes on after errors and reports the first.
pub(super) fn delete(path: &Path) -> io::Result<()> {
    delete_unless(path, &AtomicBool::new(false))
}

/// As [`delete`], until it is told to stop; that is an error of the kind [`io::ErrorKind::Interrupted`].
pub(super) fn delete_unless(path: &Path, stop: &AtomicBool) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a path without a parent is not deleted"));
    };
    match File::open(parent) {
        Ok(dir) => delete_at(&dir.into(), &CString::new(name.as_bytes())?, stop),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

/// As [`delete_unless`], for a name in a directory that is held open.
pub(super) fn delete_at(parent: &OwnedFd, name: &CStr, stop: &AtomicBool) -> io::Result<()> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(e) => return Err(e.into()),
    }
    let root = match enter(parent, name) {
        Ok(root) => root,
        Err(Errno::NOENT) => return Ok(()),
        Err(e) => return Err(e.into()),
    };
    let emptying = Emptying { root, stop, moved: AtomicU64::new(0), work: Mutex::default(), changed: Condvar::new() };
    let mut first = emptying.run();
    if !stop.load(Ordering::Relaxed) {
        remove_dir(parent, name, &mut first);
    } else if first.is_none() && rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
        first = Some(Errno::INTR);
    }
    first.map_or(Ok(()), |e| Err(e.into()))
}

/// A directory that several threads empty.
struct Emptying<'a> {
    root: OwnedFd,
    stop: &'a AtomicBool,
    moved: AtomicU64,
    work: Mutex<Work>,
    changed: Condvar,
}

#[derive(Default)]
struct Work {
    /// Directories at the top that nobody has begun to empty.
    pending: Vec<CString>,
    /// How many are being emptied; each may bring up more.
    busy: usize,
    first: Option<Errno>,
}

impl Emptying<'_> {
    fn run(&self) -> Option<Errno> {
        /// With fewer directories a further thread costs more than it brings.
        const MANY: usize = 8;
        match names(&self.root) {
            Ok(names) => {
                let mut first = None;
                let (dirs, files): (Vec<_>, Vec<_>) =
                    names.into_iter().partition(|(_, kind)| *kind == FileType::Directory);
                files.iter().for_each(|(name, _)| unlink(&self.root, name, &mut first));
                self.work().first = first;
                // Those that lie here are moved as well: that is what tells a mount point from a directory.
                self.empty(&self.root, dirs);
            }
            Err(e) => self.note(e),
        }
        let more = if self.work().pending.len() < MANY { 1 } else { THREADS };
        std::thread::scope(|scope| {
            for _ in 1..more {
                // Without it this one does everything.
                let _ = std::thread::Builder::new().spawn_scoped(scope, || self.take_part());
            }
            self.take_part();
        });
        self.work().first
    }

    fn take_part(&self) {
        while let Some(name) = self.next() {
            match enter(&self.root, &name).and_then(|dir| names(&dir).map(|names| (dir, names))) {
                Ok((dir, names)) => {
                    self.empty(&dir, names);
                    self.gone(rustix::fs::unlinkat(&self.root, &name, AtFlags::REMOVEDIR));
                }
                Err(Errno::NOENT) => {}
                Err(e) => {
                    self.note(e);
                    self.gone(rustix::fs::unlinkat(&self.root, &name, AtFlags::REMOVEDIR));
                }
            }
            self.work().busy -= 1;
            self.changed.notify_all();
        }
    }

    /// The next directory to empty, as long as there may be one.
    fn next(&self) -> Option<CString> {
        let mut work = self.work();
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(name) = work.pending.pop() {
                work.busy += 1;
                return Some(name);
            }
            if work.busy == 0 {
                return None;
            }
            work = self.changed.wait(work).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn empty(&self, dir: &OwnedFd, names: Vec<(CString, FileType)>) {
        for (name, kind) in names {
            if kind != FileType::Directory {
                self.gone(rustix::fs::unlinkat(dir, &name, AtFlags::empty()));
                continue;
            }
            match rustix::fs::unlinkat(dir, &name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => continue,
                Err(_) => {}
            }
            // A mount point refuses to move, and is not entered: what it holds lies elsewhere.
            let top = self.free_name();
            let moving = || rustix::fs::renameat(dir, &name, &self.root, &top);
            let moved = match moving() {
                // Moving a directory elsewhere changes its "..", for which it must be writable. It gets its new name
                // first: what is entered then is certainly no mount.
                Err(Errno::ACCESS | Errno::PERM) => rustix::fs::renameat(dir, &name, dir, &top)
                    .and_then(|()| enter(dir, &top))
                    .and_then(|_| rustix::fs::renameat(dir, &top, &self.root, &top)),
                moved => moved,
            };
            match moved {
                Ok(()) => {
                    self.work().pending.push(top);
                    self.changed.notify_one();
                }
                Err(e) => self.note(e),
            }
        }
    }

    /// A name that nothing in the root has.
    fn free_name(&self) -> CString {
        loop {
            let number = self.moved.fetch_add(1, Ordering::Relaxed);
            let name = CString::new(format!(".hedgerow-{number}")).expect("digits hold no NUL");
            if rustix::fs::statat(&self.root, &name, AtFlags::SYMLINK_NOFOLLOW).is_err() {
                return name;
            }
        }
    }

    fn gone(&self, removed: Result<(), Errno>) {
        match removed {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(e) => self.note(e),
        }
    }

    fn note(&self, e: Errno) {
        self.work().first.get_or_insert(e);
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a directory for emptying, giving its owner the permissions that this takes.
fn enter(parent: &OwnedFd, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let handle = rustix::fs::openat(parent, name, flags | OFlags::PATH, Mode::empty())?;
    let mode = rustix::fs::fstat(&handle)?.st_mode;
    if mode & 0o700 != 0o700 {
        // A path handle cannot be changed itself; its name in /proc leads to exactly what it holds.
        let path = format!("/proc/self/fd/{}", handle.as_raw_fd());
        let _ = std::fs::set_permissions(OsStr::new(&path), Permissions::from_mode(0o700));
    }
    rustix::fs::openat(handle.as_fd(), c".", flags | OFlags::RDONLY, Mode::empty())
}

fn names(dir: &OwnedFd) -> Result<Vec<(CString, FileType)>, Errno> {
    let mut found = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                Err(_) => continue,
            },
            known => known,
        };
        found.push((name.to_owned(), kind));
    }
    Ok(found)
}

fn unlink(dir: &OwnedFd, name: &CStr, first: &mut Option<Errno>) {
    match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(e) => drop(first.get_or_insert(e)),
    }
}

fn remove_dir(parent: &OwnedFd, name: &CStr, first: &mut Option<Errno>) {
    match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(e) => drop(first.get_or_insert(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_missing_is_already_deleted() {
        let dir = tempfile::tempdir().unwrap();
        delete(&dir.path().join("nothing")).unwrap();
        delete(&dir.path().join("no/such/parent")).unwrap();
    }

    #[test]
    fn symlinks_are_deleted_and_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("precious"), "x").unwrap();
        let tree = dir.path().join("tree");
        fs::create_dir_all(tree.join("a/b")).unwrap();
        symlink(&outside, tree.join("link")).unwrap();
        symlink(&outside, tree.join("a/b/link")).unwrap();
        delete(&tree).unwrap();
        assert!(!tree.exists());
        assert_eq!(fs::read(outside.join("precious")).unwrap(), b"x");

        symlink(&outside, &tree).unwrap();
        delete(&tree).unwrap();
        assert!(tree.symlink_metadata().is_err());
        assert_eq!(fs::read(outside.join("precious")).unwrap(), b"x");
    }

    #[test]
    fn a_wide_and_deep_tree_is_deleted_by_several_threads() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        for n in 0..200 {
            // One of them has the name that something is moved to.
            let name = if n == 0 { ".hedgerow-3".to_owned() } else { format!("dir-{n}") };
            let inner = tree.join(name).join("a/b");
            fs::create_dir_all(&inner).unwrap();
            for file in ["x", "y"] {
                fs::write(inner.join(file), "x").unwrap();
            }
        }
        let stopped = delete_unless(&tree, &AtomicBool::new(true)).unwrap_err();
        assert_eq!(stopped.kind(), io::ErrorKind::Interrupted);
        assert!(tree.exists());
        delete(&tree).unwrap();
        assert!(!tree.exists());
    }

    #[test]
    fn directories_without_permissions_are_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("tree/locked/inner");
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("file"), "x").unwrap();
        fs::set_permissions(&inner, Permissions::from_mode(0o500)).unwrap();
        fs::set_permissions(dir.path().join("tree/locked"), Permissions::from_mode(0o000)).unwrap();
        delete(&dir.path().join("tree")).unwrap();
        assert!(!dir.path().join("tree").exists());
    }

    #[test]
    fn a_nest_deeper_than_any_path_may_be_is_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("tree");
        fs::create_dir(&root).unwrap();
        let mut at: OwnedFd = File::open(&root).unwrap().into();
        for _ in 0..3000 {
            rustix::fs::mkdirat(&at, c"deeper", Mode::RWXU).unwrap();
            at = rustix::fs::openat(&at, c"deeper", OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty()).unwrap();
        }
        drop(at);
        delete(&root).unwrap();
        assert!(!root.exists());
    }
}
