//! Adding up what lies in a tree, while its owner does with it what it wants.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Statx, StatxFlags, openat2, statx};
use rustix::io::Errno;

use super::tally::Tally;

/// How deep directories may lie in each other. Programs that use paths cannot go much deeper.
const DEEPEST: usize = 200;

/// A walk through some trees.
pub(super) struct Walk<'a> {
    given_up: &'a dyn Fn() -> bool,
    enough: Option<Tally>,
    tally: Tally,
}

/// A directory that is open, with those in it that are still to be entered.
struct Level {
    directory: OwnedFd,
    inner: Vec<CString>,
}

/// Nobody wants to know any more.
struct GivenUp;

impl<'a> Walk<'a> {
    /// A walk that ends when it is given up, and when it has seen more than `enough`.
    pub(super) fn new(given_up: &'a dyn Fn() -> bool, enough: Option<Tally>) -> Self {
        Self { given_up, enough, tally: Tally::default() }
    }

    /// What lies in all of these trees; nothing when it was given up.
    pub(super) fn all(mut self, roots: &[File]) -> Option<Tally> {
        roots.iter().try_for_each(|root| self.tree(root)).ok()?;
        Some(self.tally)
    }

    fn tree(&mut self, root: &File) -> Result<(), GivenUp> {
        let stat = look(root, c"", AtFlags::EMPTY_PATH);
        if stat.as_ref().is_some_and(|stat| kind(stat) != FileType::Directory) {
            self.count(stat.as_ref());
            return Ok(());
        }
        let mut levels: Vec<Level> = self.enter(root, c".")?.into_iter().collect();
        while let Some(depth) = levels.len().checked_sub(1) {
            let level = &mut levels[depth];
            match level.inner.pop() {
                None => drop(levels.pop()),
                Some(_) if depth + 1 == DEEPEST => self.tally.hidden += 1,
                Some(name) => {
                    let inner = self.enter(&level.directory, &name)?;
                    levels.extend(inner);
                }
            }
            if self.enough() {
                break;
            }
        }
        Ok(())
    }

    /// Counts what a directory holds. One that is gone holds nothing; one that cannot be read may hold anything.
    fn enter(&mut self, parent: impl AsFd, name: &CStr) -> Result<Option<Level>, GivenUp> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // Nothing that was mounted there belongs to it.
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let directory = match openat2(parent, name, flags, Mode::empty(), resolve) {
            Ok(directory) => directory,
            Err(Errno::ACCESS | Errno::PERM) => {
                self.tally.hidden += 1;
                return Ok(None);
            }
            Err(_) => return Ok(None),
        };
        self.count(look(&directory, c"", AtFlags::EMPTY_PATH).as_ref());
        let mut inner = Vec::new();
        let Ok(entries) = Dir::read_from(&directory) else { return Ok(None) };
        for entry in entries.map_while(Result::ok) {
            if (self.given_up)() {
                return Err(GivenUp);
            }
            let name = entry.file_name();
            match entry.file_type() {
                _ if name == c"." || name == c".." => {}
                FileType::Directory => inner.push(name.to_owned()),
                FileType::RegularFile | FileType::Unknown => match look(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Some(stat) if kind(&stat) == FileType::Directory => inner.push(name.to_owned()),
                    stat => self.count(stat.as_ref()),
                },
                _ => self.count(None),
            }
            // In one directory there may be millions.
            if self.enough() {
                return Ok(None);
            }
        }
        Ok(Some(Level { directory, inner }))
    }

    fn enough(&self) -> bool {
        self.enough.is_some_and(|enough| self.tally.exceeds(enough))
    }

    fn count(&mut self, stat: Option<&Statx>) {
        self.tally.entries += 1;
        self.tally.bytes += stat.map_or(0, allocated);
    }
}

fn look(place: impl AsFd, name: &CStr, flags: AtFlags) -> Option<Statx> {
    let wanted = StatxFlags::TYPE | StatxFlags::NLINK | StatxFlags::BLOCKS;
    statx(place, name, flags | AtFlags::STATX_DONT_SYNC, wanted).ok()
}

fn kind(stat: &Statx) -> FileType {
    FileType::from_raw_mode(stat.stx_mode.into())
}

/// The share of a file that one of its names stands for: with all of its names it is counted once.
fn allocated(stat: &Statx) -> u64 {
    let bytes = stat.stx_blocks.saturating_mul(512);
    if kind(stat) == FileType::RegularFile { bytes / u64::from(stat.stx_nlink.max(1)) } else { bytes }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    fn tally(root: &std::path::Path) -> Tally {
        Walk::new(&|| false, None).all(&[File::open(root).unwrap()]).unwrap()
    }

    #[test]
    fn links_lead_nowhere_and_hard_links_count_once() {
        let (tree, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("large"), vec![1; 1 << 20]).unwrap();
        let empty = tally(tree.path());
        symlink(outside.path(), tree.path().join("directory")).unwrap();
        symlink(outside.path().join("large"), tree.path().join("file")).unwrap();
        fs::write(tree.path().join("one"), vec![1; 1 << 16]).unwrap();
        for n in 0..9 {
            fs::hard_link(tree.path().join("one"), tree.path().join(format!("again-{n}"))).unwrap();
        }
        let growth = tally(tree.path()).since(empty);
        let one = fs::metadata(tree.path().join("one")).unwrap().blocks() * 512;
        assert_eq!(growth.entries, 12);
        assert!((one - 10..=one + 8192).contains(&growth.bytes), "{growth:?}, {one}");
    }

    #[test]
    fn directories_that_are_nested_without_end_are_not_followed_without_end() {
        let tree = tempfile::tempdir().unwrap();
        let mut at: OwnedFd = File::open(tree.path()).unwrap().into();
        for _ in 0..2000 {
            rustix::fs::mkdirat(&at, "d", Mode::RWXU).unwrap();
            rustix::fs::mkdirat(&at, "e", Mode::RWXU).unwrap();
            at = rustix::fs::openat(&at, "d", OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty()).unwrap();
        }
        let seen = tally(tree.path());
        assert_eq!((seen.entries, seen.hidden), (1 + 2 * (DEEPEST as u64 - 1), 2));
    }

    #[test]
    fn a_walk_ends_when_it_has_seen_enough_or_nobody_wants_it() {
        let tree = tempfile::tempdir().unwrap();
        for n in 0..100 {
            fs::write(tree.path().join(format!("{n}")), "").unwrap();
        }
        let root = [File::open(tree.path()).unwrap()];
        let limit = Tally { bytes: u64::MAX, entries: 10, hidden: u64::MAX };
        assert_eq!(Walk::new(&|| false, Some(limit)).all(&root).unwrap().entries, 11);
        assert_eq!(Walk::new(&|| true, None).all(&root), None);
    }
}
