//! Finds what lies in a tree, without following anything out of it.
//!
//! Several threads take directories from one stack. Every directory is opened from the one around it, so that no path is
//! resolved again from the root; what is found does not depend on who came first.

use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gix::bstr::{BStr, BString, ByteSlice};
use gix::objs::tree::EntryKind;
use rustix::fs::{FileType, RawDir, Stat};

use super::beneath::{self, Dir};
use super::crew::Stack;
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

/// What all threads that look through one tree share.
#[derive(Debug)]
struct Walk<'a> {
    root: &'a Dir,
    device: u64,
    /// What counts as tracked: the agent's tree, and the base's.
    tracked: [&'a Listing; 2],
    /// How many files and directories were found.
    paths: AtomicUsize,
    /// How long all their paths are together.
    bytes: AtomicUsize,
}

/// A directory that is still to be looked at.
#[derive(Debug)]
struct Step {
    path: BString,
    /// The directory around it, as long as that costs no more open files than a process may have.
    around: Option<Arc<Dir>>,
    ignore: Ignore,
    /// An ignored directory is only searched for what is tracked in it.
    ignored: bool,
    depth: usize,
}

/// How deep directories are kept open for those below them. Deeper ones are opened from the root.
const OPEN_DEPTH: usize = 32;

/// Walks the tree at `root`.
pub(super) fn walk(root: &Dir, tracked: [&Listing; 2], ignore: &Ignore, notices: &mut Notices) -> Result<Found> {
    let stat = root.own_stat().map_err(super::fault::io("look at", root.path()))?;
    let walk =
        Walk { root, device: device(&stat), tracked, paths: AtomicUsize::default(), bytes: AtomicUsize::default() };
    let first = Step { path: BString::default(), around: None, ignore: ignore.clone(), ignored: false, depth: 0 };
    let stack = Stack::new(first);
    let work = || {
        let mut worker =
            Worker { walk: &walk, found: Found::default(), notices: Notices::default(), below: Vec::new() };
        stack.work(|step| worker.directory(&step)).map(|()| (worker.found, worker.notices))
    };
    let mut found = Found::default();
    for result in super::crew::together(&work) {
        let (part, noticed) = result?;
        found.files.extend(part.files);
        found.unknown.extend(part.unknown);
        found.submodules.extend(part.submodules);
        notices.append(noticed);
    }
    Ok(found)
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

/// One of the threads, and what it found.
#[derive(Debug)]
struct Worker<'a> {
    walk: &'a Walk<'a>,
    found: Found,
    notices: Notices,
    below: Vec<Step>,
}

impl Worker<'_> {
    /// Looks at one directory, and returns those in it.
    fn directory(&mut self, step: &Step) -> Result<Vec<Step>> {
        let dir = match self.open(step) {
            Ok(Some(dir)) => Arc::new(dir),
            Ok(None) => {
                self.unknown(&step.path, "another file system is mounted there");
                return Ok(Vec::new());
            }
            Err(e) => return self.failed(step, &e),
        };
        let ignore = step.ignore.inside(&dir, step.path.as_bstr());
        let mut buffer = [MaybeUninit::uninit(); 32 << 10];
        let mut entries = RawDir::new(dir.as_fd(), &mut buffer);
        while let Some(entry) = entries.next() {
            match entry {
                Ok(entry) => self.entry(&dir, entry.file_name().to_bytes(), entry.file_type(), step, &ignore),
                Err(e) => {
                    self.below.clear();
                    return self.failed(step, &e.into());
                }
            }
            let paths = self.walk.paths.load(Ordering::Relaxed);
            if paths > limits::PATHS || self.walk.bytes.load(Ordering::Relaxed) > limits::ALL_PATH_BYTES {
                let problem = "it has more files than can be captured; remove some, or add them to its `.gitignore`";
                return Err(super::fault::strange(self.walk.root.path(), problem));
            }
        }
        Ok(std::mem::take(&mut self.below))
    }

    /// Opens a directory, unless it lies on another file system.
    fn open(&self, step: &Step) -> std::io::Result<Option<Dir>> {
        let dir = match &step.around {
            Some(around) => around.child(&step.path[step.path.rfind_byte(b'/').map_or(0, |at| at + 1)..])?,
            None => self.walk.root.dir(&step.path)?,
        };
        Ok((device(&dir.own_stat()?) == self.walk.device).then_some(dir))
    }

    fn failed(&mut self, step: &Step, e: &std::io::Error) -> Result<Vec<Step>> {
        if step.path.is_empty() {
            let e = std::io::Error::new(e.kind(), e.to_string());
            return Err(super::fault::io("read", self.walk.root.path())(e));
        }
        if e.kind() != ErrorKind::NotFound {
            self.unknown(&step.path, &format!("it cannot be read: {e}"));
        }
        Ok(Vec::new())
    }

    fn entry(&mut self, dir: &Arc<Dir>, name: &[u8], kind: FileType, step: &Step, ignore: &Ignore) {
        if matches!(name, b"." | b"..") {
            return;
        }
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
        self.walk.paths.fetch_add(1, Ordering::Relaxed);
        let (kind, stat) = match kind {
            FileType::Directory => (kind, None),
            _ => match dir.stat(name) {
                Ok(stat) => (beneath::kind(&stat), Some(stat)),
                Err(e) if e.kind() == ErrorKind::NotFound => return,
                Err(e) => return self.unknown(&path, &format!("it cannot be looked at: {e}")),
            },
        };
        let is_dir = kind == FileType::Directory;
        let path_bytes: &BStr = path.as_bstr();
        // Most files are tracked, and then no pattern has to be asked.
        let tracked = !is_dir && self.is_tracked(path_bytes, is_dir);
        let ignored = !tracked && (step.ignored || ignore.covers(path_bytes, is_dir));
        if ignored && !(is_dir && self.is_tracked(path_bytes, is_dir)) {
            return;
        }
        if let Some(why) = verify::name_problem(name, kind == FileType::Symlink) {
            return self.notices.unstorable(path_bytes, why);
        }
        if path.len() > limits::PATH_BYTES || step.depth >= limits::TREE_DEPTH {
            return self.notices.unstorable(path_bytes, "it lies too deep");
        }
        match (kind, stat) {
            (FileType::RegularFile | FileType::Symlink, Some(stat)) => {
                self.walk.bytes.fetch_add(path.len(), Ordering::Relaxed);
                self.found.files.push((path, stat));
            }
            (FileType::Directory, _) if self.is_submodule(path_bytes) => self.submodule(dir, name, path),
            (FileType::Directory, _) => {
                let around = (step.depth < OPEN_DEPTH).then(|| Arc::clone(dir));
                self.below.push(Step { path, around, ignore: ignore.clone(), ignored, depth: step.depth + 1 });
            }
            (FileType::Fifo, _) => self.notices.unstorable(path_bytes, "it is a FIFO"),
            (FileType::Socket, _) => self.notices.unstorable(path_bytes, "it is a socket"),
            _ => self.notices.unstorable(path_bytes, "it is a device"),
        }
    }

    fn unknown(&mut self, path: &BString, why: &str) {
        self.notices.unstorable(path.as_bstr(), why);
        self.found.unknown.push(path.clone());
    }

    fn is_tracked(&self, path: &BStr, is_dir: bool) -> bool {
        let here = |list: &&Listing| list.contains_key(path) || is_dir && listing::has_below(list, path);
        self.walk.tracked.iter().any(here)
    }

    fn is_submodule(&self, path: &BStr) -> bool {
        self.walk.tracked[0].get(path).is_some_and(|item| item.kind == EntryKind::Commit)
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
