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

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

/// Deletes whatever is at this path; it may be missing. Goes on after errors and reports the first.
pub(super) fn delete(path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a path without a parent is not deleted"));
    };
    let name = CString::new(name.as_bytes())?;
    let parent: OwnedFd = match File::open(parent) {
        Ok(dir) => dir.into(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    match rustix::fs::unlinkat(&parent, &name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(e) => return Err(e.into()),
    }
    let root = match enter(&parent, &name) {
        Ok(root) => root,
        Err(Errno::NOENT) => return Ok(()),
        Err(e) => return Err(e.into()),
    };
    let mut emptying = Emptying { root, moved: 0, pending: Vec::new(), first: None };
    emptying.run();
    remove_dir(&parent, &name, &mut emptying.first);
    emptying.first.map_or(Ok(()), |e| Err(e.into()))
}

struct Emptying {
    root: OwnedFd,
    moved: u64,
    pending: Vec<CString>,
    first: Option<Errno>,
}

impl Emptying {
    fn run(&mut self) {
        match names(&self.root) {
            Ok(names) => {
                for (name, kind) in names {
                    match kind {
                        FileType::Directory => self.pending.push(name),
                        _ => unlink(&self.root, &name, &mut self.first),
                    }
                }
            }
            Err(e) => note(&mut self.first, e),
        }
        while let Some(name) = self.pending.pop() {
            match enter(&self.root, &name).and_then(|dir| names(&dir).map(|names| (dir, names))) {
                Ok((dir, names)) => self.empty(&dir, names),
                Err(Errno::NOENT) => continue,
                Err(e) => note(&mut self.first, e),
            }
            remove_dir(&self.root, &name, &mut self.first);
        }
    }

    fn empty(&mut self, dir: &OwnedFd, names: Vec<(CString, FileType)>) {
        for (name, kind) in names {
            if kind != FileType::Directory {
                unlink(dir, &name, &mut self.first);
                continue;
            }
            match rustix::fs::unlinkat(dir, &name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => continue,
                Err(_) => {}
            }
            // Moving a directory changes its "..", for which it must be writable. A mount point refuses to move.
            let top = self.free_name();
            match enter(dir, &name).and_then(|_| rustix::fs::renameat(dir, &name, &self.root, &top)) {
                Ok(()) => self.pending.push(top),
                Err(e) => note(&mut self.first, e),
            }
        }
    }

    /// A name that nothing in the root has.
    fn free_name(&mut self) -> CString {
        loop {
            self.moved += 1;
            let name = CString::new(format!(".hedgerow-{}", self.moved)).expect("digits hold no NUL");
            if rustix::fs::statat(&self.root, &name, AtFlags::SYMLINK_NOFOLLOW).is_err() {
                return name;
            }
        }
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
        Err(e) => note(first, e),
    }
}

fn remove_dir(parent: &OwnedFd, name: &CStr, first: &mut Option<Errno>) {
    match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(e) => note(first, e),
    }
}

fn note(first: &mut Option<Errno>, e: Errno) {
    first.get_or_insert(e);
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
