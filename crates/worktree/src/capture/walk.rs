//! Finds what lies in a tree, without following anything out of it.

use std::io::ErrorKind;
use std::path::Path;

use gix::bstr::{BStr, BString, ByteSlice};
use gix::objs::tree::EntryKind;
use rustix::fs::{FileType, Stat};

use super::beneath::{self, Dir};
use super::ignore::Ignore;
use super::listing::{self, Listing};
use super::notices::Notices;
use super::{limits, verify};
use crate::Result;

/// What a snapshot is made of.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Regular files and symlinks.
    pub(super) files: Vec<(BString, Stat)>,
    /// Paths that could not be looked at: what was tracked there, or below, must not be taken for deleted.
    pub(super) unknown: Vec<BString>,
    /// Submodules that are still there.
    pub(super) submodules: Vec<BString>,
}

/// Looks through one tree.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    root: &'a Dir,
    device: u64,
    /// What counts as tracked: the agent's tree, and the base's.
    tracked: [&'a Listing; 2],
    found: Found,
    notices: &'a mut Notices,
    waiting: Vec<Step>,
    /// How long all paths are together.
    bytes: usize,
}

/// A directory that is still to be looked at.
#[derive(Debug)]
struct Step {
    path: BString,
    ignore: Ignore,
    /// An ignored directory is only searched for what is tracked in it.
    ignored: bool,
    depth: usize,
}

/// Walks the tree at `root`.
pub(super) fn walk(root: &Dir, tracked: [&Listing; 2], ignore: &Ignore, notices: &mut Notices) -> Result<Found> {
    let stat = root.own_stat().map_err(super::fault::io("look at", root.path()))?;
    let first = Step { path: BString::default(), ignore: ignore.clone(), ignored: false, depth: 0 };
    let mut walk =
        Walk { root, device: device(&stat), tracked, found: Found::default(), notices, waiting: vec![first], bytes: 0 };
    while let Some(step) = walk.waiting.pop() {
        walk.directory(&step)?;
        if walk.found.files.len() + walk.waiting.len() > limits::PATHS || walk.bytes > limits::ALL_PATH_BYTES {
            let problem = "it has more files than can be captured; remove some, or add them to its `.gitignore`";
            return Err(super::fault::strange(root.path(), problem));
        }
    }
    Ok(walk.found)
}

/// Whether the `.git` file of the tree is the one that names `admin`.
pub(super) fn names_admin(root: &Dir, admin: &Path) -> bool {
    let text = root.read(b".git", limits::DOT_GIT_BYTES).unwrap_or_default();
    let expected = [b"gitdir: ", std::os::unix::ffi::OsStrExt::as_bytes(admin.as_os_str())].concat();
    text.strip_suffix(b"\n").unwrap_or(&text) == expected
}

fn device(stat: &Stat) -> u64 {
    #[expect(clippy::useless_conversion, reason = "the type differs between systems")]
    u64::try_from(stat.st_dev).unwrap_or_default()
}

impl Walk<'_> {
    fn directory(&mut self, step: &Step) -> Result<()> {
        let names = self.root.dir(&step.path).and_then(|dir| {
            let same = dir.own_stat().map(|s| device(&s) == self.device)?;
            let names = if same { Some(dir.names(limits::PATHS)?) } else { None };
            Ok((dir, names))
        });
        let (dir, names) = match names {
            Ok((dir, Some(names))) => (dir, names),
            Ok((_, None)) => {
                self.unknown(&step.path, "another file system is mounted there");
                return Ok(());
            }
            Err(e) if step.path.is_empty() => return Err(super::fault::io("read", self.root.path())(e)),
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            Err(e) => {
                self.unknown(&step.path, &format!("it cannot be read: {e}"));
                return Ok(());
            }
        };
        let ignore = step.ignore.inside(&dir, step.path.as_bstr());
        for name in names {
            self.entry(&dir, name.to_bytes(), step, &ignore);
        }
        Ok(())
    }

    fn entry(&mut self, dir: &Dir, name: &[u8], step: &Step, ignore: &Ignore) {
        if name == b".git" {
            if !step.path.is_empty() {
                self.notices.nested(step.path.as_bstr());
            }
            return;
        }
        let mut path = step.path.clone();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        let stat = match dir.stat(name) {
            Ok(stat) => stat,
            Err(e) if e.kind() == ErrorKind::NotFound => return,
            Err(e) => return self.unknown(&path, &format!("it cannot be looked at: {e}")),
        };
        let kind = beneath::kind(&stat);
        let is_dir = kind == FileType::Directory;
        let ignored = step.ignored || ignore.covers(path.as_bstr(), is_dir);
        let path_bytes: &BStr = path.as_bstr();
        if ignored && !self.is_tracked(path_bytes, is_dir) {
            return;
        }
        if let Some(why) = verify::name_problem(name, kind == FileType::Symlink) {
            return self.notices.unstorable(path_bytes, why);
        }
        if path.len() > limits::PATH_BYTES || step.depth >= limits::TREE_DEPTH {
            return self.notices.unstorable(path_bytes, "it lies too deep");
        }
        match kind {
            FileType::RegularFile | FileType::Symlink => {
                self.bytes += path.len();
                self.found.files.push((path, stat));
            }
            FileType::Directory if self.is_submodule(path_bytes) => self.submodule(dir, name, path),
            FileType::Directory => {
                self.waiting.push(Step { path, ignore: ignore.clone(), ignored, depth: step.depth + 1 });
            }
            FileType::Fifo => self.notices.unstorable(path_bytes, "it is a FIFO"),
            FileType::Socket => self.notices.unstorable(path_bytes, "it is a socket"),
            _ => self.notices.unstorable(path_bytes, "it is a device"),
        }
    }

    fn unknown(&mut self, path: &BString, why: &str) {
        self.notices.unstorable(path.as_bstr(), why);
        self.found.unknown.push(path.clone());
    }

    fn is_tracked(&self, path: &BStr, is_dir: bool) -> bool {
        let here = |list: &&Listing| list.contains_key(path) || is_dir && listing::has_below(list, path);
        self.tracked.iter().any(here)
    }

    fn is_submodule(&self, path: &BStr) -> bool {
        self.tracked[0].get(path).is_some_and(|item| item.kind == EntryKind::Commit)
    }

    /// A submodule stays what it is; what lies in it belongs to another repository, and is not captured.
    fn submodule(&mut self, dir: &Dir, name: &[u8], path: BString) {
        let empty = dir.dir(name).and_then(|inside| inside.names(limits::PATHS)).is_ok_and(|names| names.is_empty());
        if !empty {
            self.notices.unstorable(path.as_bstr(), "it is a submodule, whose files only its own repository can store");
        }
        self.found.submodules.push(path);
    }
}
