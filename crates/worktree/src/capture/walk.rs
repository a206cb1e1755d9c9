//! Finds what lies in a tree, without following anything out of it.
//!
//! Several threads take directories from one stack. Every directory is opened from the one around it, so that no path is
//! resolved again from the root; what is found does not depend on who came first.

use std::io::ErrorKind;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gix::bstr::{BStr, BString, ByteSlice};
use gix::objs::tree::EntryKind;
use rustix::fs::{FileType, Stat};

use super::base::Item;
use super::beneath::{self, Dir};
use super::crew::Stack;
use super::ignore::Ignore;
use super::names::Names;
use super::notices::Notices;
use super::own::Own;
use super::tree::{Tree, with_slash};
use super::{limits, verify};
use crate::Result;

/// What a snapshot is made of.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The positions in the base of files that are as they were checked out.
    pub(super) same: Vec<usize>,
    /// Other regular files and symlinks, with their positions in the base.
    pub(super) files: Vec<(BString, Stat, Option<usize>)>,
    /// Paths that could not be looked at: what was tracked there, or below, must not be taken for deleted.
    pub(super) unknown: Vec<BString>,
    /// Submodules that are still there.
    pub(super) submodules: Vec<BString>,
    /// Ignored directories, into which nobody has looked.
    pub(super) ignored: Vec<BString>,
}

/// What all threads that look through one tree share.
#[derive(Debug)]
struct Walk<'a> {
    root: &'a Dir,
    device: u64,
    /// The agent's tree: what is in it or in its base counts as tracked.
    tracked: &'a Tree<'a>,
    /// Its index: so does what is in there.
    own: &'a Own<'a>,
    kinds: Kinds,
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
    /// Where in the base everything below it is.
    range: Range<usize>,
}

/// What tells of which kind a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kinds {
    /// Whether it is executable.
    pub(super) executable: Told,
    /// Whether a regular file stands for a symlink.
    pub(super) links: Told,
}

/// What tells one thing about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// What it is.
    ByFile,
    /// What is tracked, because this file system knows nothing of the kind.
    ByTree,
}

impl Kinds {
    /// What a file or symlink is to git.
    pub(super) fn of(self, stat: &Stat, tracked: impl FnOnce() -> Option<Item>) -> EntryKind {
        if beneath::kind(stat) == FileType::Symlink {
            return EntryKind::Link;
        }
        let asked = self.executable == Told::ByTree || self.links == Told::ByTree;
        let tracked = if asked { tracked().map(|item| item.kind) } else { None };
        if self.links == Told::ByTree && tracked == Some(EntryKind::Link) {
            return EntryKind::Link;
        }
        let executable = match self.executable {
            Told::ByFile => stat.st_mode & 0o100 != 0,
            Told::ByTree => tracked == Some(EntryKind::BlobExecutable),
        };
        if executable { EntryKind::BlobExecutable } else { EntryKind::Blob }
    }
}

/// How deep directories are kept open for those below them. Deeper ones are opened from the root.
const OPEN_DEPTH: usize = 32;

/// Walks the tree at `root`.
pub(super) fn walk(
    root: &Dir,
    tracked: &Tree<'_>,
    own: &Own<'_>,
    kinds: Kinds,
    ignore: &Ignore,
    threads: usize,
    notices: &mut Notices,
) -> Result<Found> {
    let stat = root.own_stat().map_err(super::fault::io("look at", root.path()))?;
    let (paths, bytes) = (AtomicUsize::default(), AtomicUsize::default());
    let walk = Walk { root, device: device(&stat), tracked, own, kinds, paths, bytes };
    let range = 0..tracked.base().len();
    let first =
        Step { path: BString::default(), around: None, ignore: ignore.clone(), ignored: false, depth: 0, range };
    let stack = Stack::new(first);
    let work = || {
        let mut worker = Worker {
            walk: &walk,
            found: Found::default(),
            notices: Notices::default(),
            below: Vec::new(),
            names: Names::default(),
        };
        stack.work(|step| worker.directory(&step)).map(|()| (worker.found, worker.notices))
    };
    let mut found = Found::default();
    for result in super::crew::together(threads, &work) {
        let (part, noticed) = result?;
        found.same.extend(part.same);
        found.files.extend(part.files);
        found.unknown.extend(part.unknown);
        found.submodules.extend(part.submodules);
        found.ignored.extend(part.ignored);
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
    names: Names,
}

impl Walk<'_> {
    /// Counts what was found, and fails when there is more than is ever looked at.
    fn weigh(&self, paths: usize, bytes: usize) -> Result<()> {
        let paths = self.paths.fetch_add(paths, Ordering::Relaxed) + paths;
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if paths > limits::PATHS || bytes > limits::ALL_PATH_BYTES {
            let problem = "it has more files than can be captured; remove some, or add them to its `.gitignore`";
            return Err(super::fault::strange(self.root.path(), problem));
        }
        Ok(())
    }
}

impl Worker<'_> {
    /// Looks at one directory, and returns those in it.
    fn directory(&mut self, step: &Step) -> Result<Vec<Step>> {
        let dir = match self.open(step) {
            Ok(Some(dir)) => Arc::new(dir),
            Ok(None) => {
                self.unknown(step.path.as_bstr(), "another file system is mounted there");
                return Ok(Vec::new());
            }
            Err(e) => return self.failed(step, &e),
        };
        let mut names = std::mem::take(&mut self.names);
        if let Err(e) = names.read(&dir, |paths, bytes| self.walk.weigh(paths, bytes))? {
            return self.failed(step, &e);
        }
        let known = names.ignores.then(|| step.ignore.inside(&dir, step.path.as_bstr()));
        let ignore = known.as_ref().unwrap_or(&step.ignore);
        // One path after the other is written into the same room, behind that of the directory.
        let mut path = step.path.clone();
        if !path.is_empty() {
            path.push(b'/');
        }
        let prefix = path.len();
        for (name, kind) in names.iter() {
            path.truncate(prefix);
            path.extend_from_slice(name);
            self.entry(&dir, (path.as_bstr(), prefix), kind, step, ignore)?;
        }
        self.walk.bytes.fetch_sub(names.bytes(), Ordering::Relaxed);
        self.names = names;
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
            self.unknown(step.path.as_bstr(), &format!("it cannot be read: {e}"));
        }
        Ok(Vec::new())
    }

    /// Looks at one path, whose name begins at `start`.
    fn entry(
        &mut self,
        dir: &Arc<Dir>,
        (path, start): (&BStr, usize),
        kind: FileType,
        step: &Step,
        ignore: &Ignore,
    ) -> Result<()> {
        let name: &[u8] = &path[start..];
        if name == b".git" {
            if !step.path.is_empty() {
                self.notices.nested(step.path.as_bstr());
            }
            return Ok(());
        }
        let (kind, stat) = match kind {
            FileType::Directory => (kind, None),
            _ => match dir.stat(name) {
                Ok(stat) => (beneath::kind(&stat), Some(stat)),
                Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
                Err(e) => {
                    self.unknown(path, &format!("it cannot be looked at: {e}"));
                    return Ok(());
                }
            },
        };
        let is_dir = kind == FileType::Directory;
        let base = self.walk.tracked.base();
        let position = base.find_in(start, path, step.range.clone());
        if let (Some(position), Some(stat)) = (position, &stat)
            && matches!(kind, FileType::RegularFile | FileType::Symlink)
            && self.is_same(position, stat)
        {
            self.found.same.push(position);
            return Ok(());
        }
        let range = if is_dir { base.below(&with_slash(path), step.range.clone()) } else { 0..0 };
        let in_base = position.is_some() || !range.is_empty();
        // Most files are tracked, and then no pattern has to be asked.
        let ignored = (is_dir || !in_base) && (step.ignored || ignore.covers(path, is_dir));
        if ignored && !in_base && !self.is_agents(path, is_dir) {
            if is_dir {
                self.walk.weigh(0, path.len())?;
                self.found.ignored.push(path.to_owned());
            }
            return Ok(());
        }
        if let Some(why) = verify::name_problem(name, kind == FileType::Symlink) {
            self.notices.unstorable(path, why);
            return Ok(());
        }
        if path.len() > limits::PATH_BYTES || step.depth >= limits::TREE_DEPTH {
            self.notices.unstorable(path, "it lies too deep");
            return Ok(());
        }
        match (kind, stat) {
            (FileType::RegularFile | FileType::Symlink, Some(stat)) => {
                self.walk.weigh(0, path.len())?;
                self.found.files.push((path.to_owned(), stat, position));
            }
            (FileType::Directory, _) if self.is_submodule(path, position) => self.submodule(dir, name, path),
            (FileType::Directory, _) => {
                // They wait to be looked at, all at the same time at worst.
                self.walk.weigh(0, path.len())?;
                let around = (step.depth < OPEN_DEPTH).then(|| Arc::clone(dir));
                let (path, ignore, depth) = (path.to_owned(), ignore.clone(), step.depth + 1);
                self.below.push(Step { path, around, ignore, ignored, depth, range });
            }
            (FileType::Fifo, _) => self.notices.unstorable(path, "it is a FIFO"),
            (FileType::Socket, _) => self.notices.unstorable(path, "it is a socket"),
            _ => self.notices.unstorable(path, "it is a device"),
        }
        Ok(())
    }

    fn unknown(&mut self, path: &BStr, why: &str) {
        self.notices.unstorable(path, why);
        self.walk.bytes.fetch_add(path.len(), Ordering::Relaxed);
        self.found.unknown.push(path.to_owned());
    }

    /// Whether a file is as it was checked out, its mode too.
    fn is_same(&self, position: usize, stat: &Stat) -> bool {
        let tracked = self.walk.tracked;
        if !tracked.base().unchanged(position, stat) {
            return false;
        }
        let (path, item) = tracked.base().at(position);
        self.walk.kinds.of(stat, || tracked.get(path).or(Some(item))) == item.kind
    }

    /// Whether the agent's tree or its index has something here that its base has not.
    fn is_agents(&self, path: &BStr, is_dir: bool) -> bool {
        let tracked = self.walk.tracked;
        let has = || tracked.get(path).is_some() || is_dir && tracked.has_below(path);
        !tracked.changes().is_empty() && has() || self.walk.own.tracks(path, is_dir)
    }

    /// Whether a submodule is tracked at this path, which has that position in the base.
    fn is_submodule(&self, path: &BStr, position: Option<usize>) -> bool {
        let tracked = self.walk.tracked;
        let item = match tracked.changes().get(path) {
            Some(changed) => *changed,
            None => position.map(|position| tracked.base().at(position).1),
        };
        item.is_some_and(|item| item.kind == EntryKind::Commit)
    }

    /// A submodule stays what it is; what lies in it belongs to another repository, and is not captured.
    fn submodule(&mut self, dir: &Dir, name: &[u8], path: &BStr) {
        let empty = dir.dir(name).and_then(|inside| inside.names(limits::PATHS)).is_ok_and(|names| names.is_empty());
        if !empty {
            self.notices.unstorable(path, "it is a submodule, whose files only its own repository can store");
        }
        self.found.submodules.push(path.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use gix::glob::pattern::Case;

    use super::super::base::Base;
    use super::super::edit;
    use super::super::tree::Changes;
    use super::*;

    #[test]
    fn a_tree_of_many_directories_with_long_paths_is_an_error_before_it_fills_the_memory() {
        let dir = tempfile::tempdir().unwrap();
        let (common, tree) = (dir.path().join("repo"), dir.path().join("tree"));
        let repo = gix::init_bare(&common).unwrap();
        let root = edit::edit(&repo, gix::ObjectId::empty_tree(repo.object_hash()), &Changes::new()).unwrap();
        let who = "a <a@example.com> 1 +0000";
        let text = format!("tree {root}\nauthor {who}\ncommitter {who}\n\nx");
        let commit = edit::put(&repo, gix::objs::Kind::Commit, text.as_bytes()).unwrap();
        let base = Base::open(&repo, commit, &common.join("no-index")).unwrap();
        let long = tree.join(vec!["x".repeat(250); 12].join("/"));
        std::fs::create_dir_all(&long).unwrap();
        for n in 0..400 {
            std::fs::create_dir(long.join(n.to_string())).unwrap();
        }
        let kinds = Kinds { executable: Told::ByFile, links: Told::ByFile };
        let ignore = Ignore::new(&Dir::open(&common).unwrap(), Case::Sensitive);
        let tracked = Tree::new(&base, Changes::new());
        let own = Own::new(&base, Dir::open(&common).map_err(|e| e.to_string()));
        let found = walk(&Dir::open(&tree).unwrap(), &tracked, &own, kinds, &ignore, 2, &mut Notices::default());
        assert!(found.is_err(), "{found:?}");
    }
}
