//! Compares a whole tree with its index, and says what would make them equal.
//!
//! Nothing is believed that an owner of the tree could have made look right: a file counts as untouched only if all stat
//! data are those of the index, the time of its last change included, which nobody can set.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::PathBuf;

use gix::bstr::{BStr, BString, ByteSlice};
use gix::index::entry::{self, Flags, Mode};
use gix::worktree::stack::state::ignore::Source;
use rustix::fs::{FileType, Stat};

use super::kept::{Rules, Scrub};
use super::mode::{Fresh, is_dir, permissions};
use crate::Result;
use crate::capture::beneath::{self, Dir};
use crate::capture::{cache, fault};
use crate::local::processes::Members;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// What has to go, with all below it.
    pub(super) remove: Vec<BString>,
    /// Entries of the index that have to be written.
    pub(super) write: HashSet<BString>,
    /// Directories with other permissions than those of a new one.
    pub(super) modes: Vec<BString>,
    /// The permissions of a new one.
    pub(super) fresh_mode: u32,
    /// Whether anything that no commit holds is to stay.
    pub(super) kept: bool,
    /// All that is in the tree.
    pub(super) members: Members,
}

impl Findings {
    /// Whether the tree is what its index says.
    pub(super) fn is_clean(&self) -> bool {
        self.remove.is_empty() && self.write.is_empty() && self.modes.is_empty()
    }
}

/// What a tree is compared with.
pub(super) struct Scan<'a> {
    pub(super) repo: &'a gix::Repository,
    pub(super) index: &'a gix::index::File,
    pub(super) fresh: &'a Fresh,
    pub(super) rules: &'a Rules,
    /// What was copied in from the main checkout; none if that is not known, and then nothing is kept.
    pub(super) seeded: Option<&'a [PathBuf]>,
}

/// The most entries of one directory.
const NAMES: usize = 1 << 20;

impl Scan<'_> {
    /// Looks at everything in the tree.
    pub(super) fn run(&self, root: &Dir) -> Result<Findings> {
        let stat = root.own_stat().map_err(fault::io("look at", root.path()))?;
        let mut found = Findings { fresh_mode: self.fresh.mode, ..Findings::default() };
        found.members.insert((stat.st_dev, stat.st_ino));
        let ignores = self
            .repo
            .excludes(self.index, None, Source::IdMapping)
            .map_err(fault::git("read the ignore rules of the commit"))?;
        let mut walk = Walk { scan: self, root, device: stat.st_dev, ignores, found };
        if !self.fresh.owns(root) {
            return Err(fault::strange(root.path(), "its root has another owner or access list than it was made with"));
        }
        walk.directory(root, BStr::new(b""), 0..self.index.entries().len())
            .map_err(fault::io("look through", root.path()))?;
        Ok(walk.found)
    }

    /// Whether a file or symlink is as it was written when the index was.
    pub(super) fn is_untouched(&self, entry: &gix::index::Entry, stat: &Stat) -> bool {
        untouched(self.index, self.fresh, entry, stat)
    }
}

/// Whether what this stat describes is the untouched file or symlink of an entry.
pub(super) fn untouched(index: &gix::index::File, fresh: &Fresh, entry: &gix::index::Entry, stat: &Stat) -> bool {
    let sound = match (beneath::kind(stat), entry.mode) {
        (FileType::Symlink, Mode::SYMLINK) => true,
        (FileType::RegularFile, Mode::FILE | Mode::FILE_EXECUTABLE) => {
            permissions(stat) == fresh.of_file(entry.mode == Mode::FILE_EXECUTABLE) && stat.st_nlink == 1
        }
        _ => false,
    };
    let written = entry::stat::Time::from(index.timestamp());
    let older = |time: entry::stat::Time| (time.secs, time.nsecs) < (written.secs, written.nsecs);
    let older = older(entry.stat.mtime) && older(entry.stat.ctime);
    sound && older && cache::of(stat) == entry.stat
}

struct Walk<'a> {
    scan: &'a Scan<'a>,
    root: &'a Dir,
    device: u64,
    ignores: gix::AttributeStack<'a>,
    found: Findings,
}

/// What the index has under a name of one directory.
enum Known {
    File(usize),
    Directory(Range<usize>),
}

impl Walk<'_> {
    /// Compares one directory with the entries below it.
    fn directory(&mut self, dir: &Dir, at: &BStr, entries: Range<usize>) -> std::io::Result<()> {
        let mut known = self.known(at, entries);
        for name in dir.names(NAMES)? {
            let name = name.to_bytes();
            let stat = dir.stat(name)?;
            let path = join(at, name);
            match known.remove(name.as_bstr()) {
                Some(Known::File(entry)) => self.file(dir, name, path, &stat, entry)?,
                Some(Known::Directory(entries)) => self.below(dir, name, path, &stat, entries)?,
                None => self.untracked(path, &stat),
            }
        }
        for missing in known.into_values() {
            match missing {
                Known::File(entry) => self.write(entry..entry + 1),
                Known::Directory(entries) => self.write(entries),
            }
        }
        Ok(())
    }

    /// The entries by their names in the directory. What is left out of the tree on purpose is not among them.
    fn known(&self, at: &BStr, entries: Range<usize>) -> HashMap<BString, Known> {
        let skip = if at.is_empty() { 0 } else { at.len() + 1 };
        let mut known: HashMap<BString, Known> = HashMap::new();
        for number in entries {
            let entry = self.scan.index.entry(number);
            if entry.flags.contains(Flags::SKIP_WORKTREE) {
                continue;
            }
            let rest = &entry.path(self.scan.index)[skip..];
            match rest.find_byte(b'/') {
                None => drop(known.insert(rest.into(), Known::File(number))),
                Some(end) => {
                    let below = known.entry(rest[..end].into()).or_insert(Known::Directory(number..number));
                    if let Known::Directory(range) = below {
                        range.end = number + 1;
                    }
                }
            }
        }
        known
    }

    fn file(&mut self, dir: &Dir, name: &[u8], path: BString, stat: &Stat, number: usize) -> std::io::Result<()> {
        let entry = self.scan.index.entry(number);
        let same = if entry.mode == Mode::COMMIT {
            // The place of a submodule, whose files are not ours to make.
            is_dir(stat) && self.enter(dir, name, &path, stat)?.is_some_and(|d| d.names(0).is_ok_and(|n| n.is_empty()))
        } else {
            self.scan.is_untouched(entry, stat)
        };
        if same {
            self.found.members.insert((stat.st_dev, stat.st_ino));
        } else {
            self.found.remove.push(path);
            self.write(number..number + 1);
        }
        Ok(())
    }

    fn below(
        &mut self,
        dir: &Dir,
        name: &[u8],
        path: BString,
        stat: &Stat,
        entries: Range<usize>,
    ) -> std::io::Result<()> {
        match self.enter(dir, name, &path, stat)? {
            Some(inside) => self.directory(&inside, path.as_bstr(), entries),
            None => {
                self.found.remove.push(path);
                self.write(entries);
                Ok(())
            }
        }
    }

    /// Opens a directory of the commit, if it is one and nobody changed more about it than its mode.
    fn enter(&mut self, dir: &Dir, name: &[u8], path: &BString, stat: &Stat) -> std::io::Result<Option<Dir>> {
        if is_dir(stat) && stat.st_dev != self.device {
            return Err(std::io::Error::other(format!("another file system is mounted at {path}")));
        }
        let Some(inside) = dir.dir(name).ok().filter(|inside| self.scan.fresh.owns(inside)) else { return Ok(None) };
        if permissions(stat) != self.scan.fresh.mode {
            self.found.modes.push(path.clone());
        }
        self.found.members.insert((stat.st_dev, stat.st_ino));
        Ok(Some(inside))
    }

    fn untracked(&mut self, path: BString, stat: &Stat) {
        let is_dir = is_dir(stat);
        let may_stay = path != ".git" && self.scan.rules.keeps(path.as_bstr(), is_dir);
        let seeded = self.scan.seeded.filter(|_| may_stay);
        let Some(seeded) = seeded.filter(|_| self.is_ignored(path.as_bstr(), is_dir)) else {
            self.found.remove.push(path);
            return;
        };
        Scrub::new(self.root, self.device, self.scan.rules, seeded, &mut self.found).path(path, stat);
    }

    fn is_ignored(&mut self, path: &BStr, is_dir: bool) -> bool {
        let mode = if is_dir { Mode::DIR } else { Mode::FILE };
        self.ignores.at_entry(path, Some(mode)).is_ok_and(|at| at.is_excluded())
    }

    fn write(&mut self, entries: Range<usize>) {
        let index = self.scan.index;
        let wanted = index.entries()[entries].iter().filter(|entry| !entry.flags.contains(Flags::SKIP_WORKTREE));
        self.found.write.extend(wanted.map(|entry| entry.path(index).to_owned()));
    }
}

/// The path of a name in a directory.
pub(super) fn join(at: &BStr, name: &[u8]) -> BString {
    let mut path = at.to_owned();
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}
