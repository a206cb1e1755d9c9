//! What lies in one entry of `.git/worktrees`, read without following or believing any of it.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::disk;

/// The files that every linked worktree may have without any work being in them.
const PLAIN: [&str; 7] = ["gitdir", "commondir", "HEAD", "locked", "ORIG_HEAD", "COMMIT_EDITMSG", "config.worktree"];

/// One entry.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) dir: PathBuf,
    pub(super) gitdir: Content,
    pub(super) commondir: Content,
    pub(super) head: Content,
    pub(super) index: Option<PathBuf>,
    /// The reason of its lock, if it is locked.
    pub(super) locked: Option<String>,
    /// Where its tree should be, if that can be read.
    pub(super) tree: Option<PathBuf>,
    /// Lock files in it.
    pub(super) locks: Vec<PathBuf>,
    /// What else lies in it: an operation in progress, refs of its own, submodules, or nobody knows what.
    pub(super) more: Vec<OsString>,
}

/// What a small file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Missing,
    Empty,
    Text(Vec<u8>),
    Unreadable,
}

/// What is at the place of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nothing, although what should hold it is there and on the disk of the repository.
    Gone,
    /// Nothing, and its disk may just not be mounted.
    Absent,
    /// A tree that names this entry.
    Ours,
    /// Something of which that cannot be told.
    Unreadable,
    /// Something that does not.
    Other,
}

impl Facts {
    pub(super) fn read(dir: &Path) -> std::io::Result<Self> {
        let gitdir = content(&dir.join("gitdir"));
        let mut facts = Self {
            tree: gitdir.text().and_then(|text| tree_of(dir, text)),
            gitdir,
            commondir: content(&dir.join("commondir")),
            head: content(&dir.join("HEAD")),
            index: None,
            locked: None,
            dir: dir.to_owned(),
            locks: Vec::new(),
            more: Vec::new(),
        };
        for entry in std::fs::read_dir(dir)? {
            facts.count(entry?)?;
        }
        facts.locks.sort();
        Ok(facts)
    }

    fn count(&mut self, entry: std::fs::DirEntry) -> std::io::Result<()> {
        let (name, path) = (entry.file_name(), entry.path());
        let is_dir = entry.file_type()?.is_dir();
        if name == "index" {
            self.index = Some(path);
        } else if name == "locked" {
            let text = disk::read_small(&path).unwrap_or_default();
            self.locked = Some(String::from_utf8_lossy(text.trim_ascii()).into_owned());
        } else if path.extension() == Some(OsStr::new("lock")) && !is_dir {
            self.locks.push(path);
        } else if !(PLAIN.iter().any(|plain| name == *plain) || is_dir && bare_of_work(&path)) {
            self.more.push(name);
        }
        Ok(())
    }

    pub(super) fn name(&self) -> &OsStr {
        self.dir.file_name().unwrap_or_default()
    }

    /// Whether it is only being made, or never was finished.
    pub(super) fn initializing(&self) -> bool {
        self.locked.as_deref() == Some("initializing")
    }

    /// What lies where its tree should be; none when it does not say where.
    pub(super) fn place(&self, common: &Path) -> Option<Place> {
        let tree = self.tree.as_deref()?;
        match tree.symlink_metadata() {
            Ok(meta) if meta.is_dir() => Some(match names(tree, &self.dir) {
                Some(true) => Place::Ours,
                Some(false) => Place::Other,
                None => Place::Unreadable,
            }),
            Ok(_) => Some(Place::Other),
            Err(e) if e.kind() == ErrorKind::NotFound && provably_gone(tree, common) => Some(Place::Gone),
            Err(_) => Some(Place::Absent),
        }
    }
}

impl Content {
    pub(super) fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text),
            Self::Missing | Self::Empty | Self::Unreadable => None,
        }
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Missing | Self::Empty)
    }
}

fn content(path: &Path) -> Content {
    match disk::read_small(path) {
        Ok(text) if text.trim_ascii().is_empty() => Content::Empty,
        Ok(text) => Content::Text(text.trim_ascii_end().to_vec()),
        Err(e) if e.kind() == ErrorKind::NotFound => Content::Missing,
        Err(_) => Content::Unreadable,
    }
}

/// Where a `gitdir` says that its tree is.
fn tree_of(dir: &Path, gitdir: &[u8]) -> Option<PathBuf> {
    if gitdir.contains(&0) {
        return None;
    }
    let path = dir.join(OsStr::from_bytes(gitdir));
    (path.file_name()? == OsStr::new(".git")).then(|| path.parent().map(Path::to_owned))?
}

/// Which entry the `.git` of a directory names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// None: it is missing, or nothing that git takes for the `.git` of a worktree.
    Nothing,
    /// This one.
    Entry(PathBuf),
    /// It cannot be read, and may name any.
    Unknown(String),
}

/// Which entry the `.git` of a directory names.
pub(super) fn named_by(tree: &Path) -> Named {
    let path = tree.join(".git");
    let text = match disk::read_small(&path) {
        Ok(text) => text,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Named::Nothing,
        // Too large, a directory or a pipe.
        Err(e) if e.kind() == ErrorKind::InvalidData => return Named::Nothing,
        Err(e) => {
            // git follows a symlink, and takes what it leads to for a whole repository if that is a directory.
            let leads = path.symlink_metadata().is_ok_and(|meta| meta.is_symlink());
            let nowhere = path.metadata().map_or_else(|e| e.kind() == ErrorKind::NotFound, |meta| meta.is_dir());
            return if leads && nowhere { Named::Nothing } else { Named::Unknown(e.to_string()) };
        }
    };
    let Some(target) = text.strip_prefix(b"gitdir: ") else { return Named::Nothing };
    Named::Entry(tree.join(OsString::from_vec(target.trim_ascii_end().to_vec())))
}

/// Whether no repository anywhere knows the directory: its `.git` is missing or leads nowhere. What cannot be told is not.
pub(crate) fn is_stray(tree: &Path) -> bool {
    let own = disk::identity(&tree.join(".git")).is_some();
    !own && match named_by(tree) {
        Named::Nothing => true,
        Named::Entry(named) => disk::identity(&named).is_none(),
        Named::Unknown(_) => false,
    }
}

/// Whether the `.git` of a directory names this entry; none if that cannot be told.
pub(super) fn names(tree: &Path, entry: &Path) -> Option<bool> {
    match named_by(tree) {
        Named::Nothing => Some(false),
        Named::Entry(named) => {
            Some(named == entry || disk::identity(&named).is_some_and(|named| Some(named) == disk::identity(entry)))
        }
        Named::Unknown(_) => None,
    }
}

/// A tree whose parent directory is on the disk of the repository, and has other things in it, was not merely on a disk
/// that is not mounted now.
fn provably_gone(tree: &Path, common: &Path) -> bool {
    let Some(parent) = tree.parent() else { return false };
    let device = |path: &Path| path.metadata().map(|meta| meta.dev()).ok();
    let inhabited = std::fs::read_dir(parent).is_ok_and(|mut entries| entries.next().is_some());
    inhabited && device(parent).is_some_and(|found| Some(found) == device(common))
}

/// Whether a directory of an entry holds nothing that a fresh one would not hold.
fn bare_of_work(dir: &Path) -> bool {
    let allowed = |name: &OsStr| match dir.file_name().and_then(OsStr::to_str) {
        Some("logs") => name == "HEAD",
        Some("info") => name == "sparse-checkout",
        _ => false,
    };
    std::fs::read_dir(dir).is_ok_and(|mut entries| entries.all(|e| e.is_ok_and(|e| allowed(&e.file_name()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_with_all_that_may_be_work_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let entry = dir.path().join("x");
        std::fs::create_dir_all(entry.join("rebase-merge")).unwrap();
        std::fs::create_dir_all(entry.join("refs")).unwrap();
        std::fs::create_dir_all(entry.join("logs")).unwrap();
        for (file, text) in [
            ("gitdir", "/t/x/.git\n"),
            ("HEAD", "\n"),
            ("index.lock", ""),
            ("locked", "initializing\n"),
            ("logs/HEAD", ""),
            ("rebase-merge/head-name", "refs/heads/x\n"),
        ] {
            std::fs::write(entry.join(file), text).unwrap();
        }
        let facts = Facts::read(&entry).unwrap();
        assert_eq!(facts.tree.as_deref(), Some(Path::new("/t/x")));
        assert_eq!((&facts.head, &facts.commondir), (&Content::Empty, &Content::Missing));
        assert_eq!((facts.locks, facts.more), (vec![entry.join("index.lock")], vec![OsString::from("rebase-merge")]));
        assert!(facts.locked.as_deref() == Some("initializing") && facts.index.is_none());
    }

    #[test]
    fn only_a_disk_that_is_surely_there_makes_a_tree_surely_gone() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        std::fs::create_dir_all(at("mount")).unwrap();
        assert!(provably_gone(&at("tree"), dir.path()));
        assert!(!provably_gone(&at("mount/tree"), dir.path()), "an empty directory may be a mount point");
        assert!(!provably_gone(&at("mount/trees/tree"), dir.path()));
        assert!(!provably_gone(Path::new("/proc/tree"), dir.path()), "another disk");
    }
}
