//! A clean tree of another commit, from which files can be copied instead of being inflated.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use gix::ObjectId;
use gix::bstr::BString;
use gix::index::entry::{Flags, Mode, Stage};
use gix::index::{Entry, State};
use rustix::fs::{AtFlags, CWD, FileType, Mode as Permissions, OFlags, Stat, openat, statat};
use rustix::io::Errno;

use super::stat;

const ATTRIBUTES: &[u8] = b".gitattributes";
/// Files that were changed more recently are not copied: a clock of the file system that ticks slowly could hide that
/// they are being changed again.
const SETTLED: i64 = 1;

/// A tree with the index that describes it: the main checkout, or a worktree that lies idle.
///
/// Nothing in it has to be clean. Each file is looked at on its own, and taken only if its stat data is what the index
/// has on record for the very blob that is wanted.
#[derive(Debug)]
pub(in crate::local) struct Donor {
    root: OwnedFd,
    index: State,
    now: i64,
    /// The attribute files of the tree that is made, by directory.
    wanted: HashMap<BString, ObjectId>,
}

impl Donor {
    /// Opens a tree and its index; none when there is nothing that could be copied from.
    pub(in crate::local) fn open(tree: &Path, index: &Path, hash: gix::hash::Kind) -> Option<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, tree, flags, Permissions::empty()).ok()?;
        // A flaw in the file would be an id that nobody asks for, or stat data that nothing has.
        let index = gix::index::File::at(index, hash, true, gix::index::decode::Options::default()).ok()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs().cast_signed());
        Some(Self { root, index: index.into_parts().0, now, wanted: HashMap::new() })
    }

    pub(super) fn root(&self) -> &OwnedFd {
        &self.root
    }

    /// Tells the donor what is to be made, and finds for each entry of that the donor's entry of the same content.
    pub(super) fn prepare(&mut self, wanted: &State) -> Vec<Option<u32>> {
        for entry in wanted.entries() {
            let path = entry.path(wanted);
            if let Some(dir) = path.strip_suffix(ATTRIBUTES)
                && (dir.is_empty() || dir.ends_with(b"/"))
            {
                self.wanted.insert(dir.strip_suffix(b"/").unwrap_or(dir).into(), entry.id);
            }
        }
        let mut have = self.index.entries().iter().enumerate().peekable();
        let find = |entry: &Entry| {
            let path = entry.path(wanted);
            while let Some((at, other)) = have.peek() {
                match other.path(&self.index).cmp(path) {
                    Ordering::Less => drop(have.next()),
                    Ordering::Greater => return None,
                    Ordering::Equal if usable(other) && other.id == entry.id => return u32::try_from(*at).ok(),
                    Ordering::Equal => return None,
                }
            }
            None
        };
        wanted.entries().iter().map(find).collect()
    }

    /// The donor's entry of this number, if the file under this name is as it says.
    pub(super) fn unchanged(&self, number: u32, dir: &OwnedFd, name: &[u8]) -> Option<&Entry> {
        let entry = self.index.entries().get(number as usize)?;
        let found = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        self.matches(entry, &found).then_some(entry)
    }

    /// Whether a file is as the index has it on record, beyond any doubt about clocks.
    pub(super) fn matches(&self, entry: &Entry, found: &Stat) -> bool {
        let written = self.index.timestamp();
        let (seconds, nanos) = (i64::from(entry.stat.mtime.secs), entry.stat.mtime.nsecs);
        let racy = (written.unix_seconds(), written.nanoseconds()) <= (seconds, nanos);
        let recent = found.st_ctime.saturating_add(SETTLED) >= self.now;
        let large = found.st_size > i64::from(u32::MAX);
        FileType::from_raw_mode(found.st_mode) == FileType::RegularFile
            && !(racy || recent || large)
            && stat::kept(found) == entry.stat
    }

    /// Whether files in this directory of the donor were converted by the same attributes as those of the new tree: the
    /// attribute file in it is that of the new tree, and nobody has edited it.
    pub(super) fn converts_alike(&self, dir: &OwnedFd, path: &[u8]) -> bool {
        let wanted = self.wanted.get(path);
        match statat(dir, ATTRIBUTES, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => wanted.is_none(),
            Err(_) => false,
            Ok(found) => {
                let mut full = BString::from(path);
                if !path.is_empty() {
                    full.push(b'/');
                }
                full.extend_from_slice(ATTRIBUTES);
                let entry = self.index.entry_by_path(full.as_ref());
                entry.is_some_and(|entry| usable(entry) && Some(&entry.id) == wanted && self.matches(entry, &found))
            }
        }
    }
}

/// Whether the stat data of an entry tells anything about its blob.
fn usable(entry: &Entry) -> bool {
    let odd = Flags::INTENT_TO_ADD | Flags::SKIP_WORKTREE | Flags::ASSUME_VALID;
    let kind = entry.mode == Mode::FILE || entry.mode == Mode::FILE_EXECUTABLE;
    // git empties the size of an entry to say that its time proves nothing; an empty blob has that size anyway.
    let smudged = entry.stat.size == 0 && entry.id != ObjectId::empty_blob(entry.id.kind());
    kind && !smudged && entry.stage() == Stage::Unconflicted && !entry.flags.intersects(odd)
}
