//! Recognises files that are as they were checked out, by the stat data of the saved index.

use std::path::Path;

use gix::ObjectId;
use gix::bstr::{BStr, BString};
use gix::index::decode;
use gix::index::entry::{self, Flags};
use rustix::fs::Stat;

use super::beneath::Dir;
use super::limits;

/// The saved index, if it could be read; without it every file is hashed.
#[derive(Debug)]
pub(crate) struct Cache {
    state: gix::index::State,
    written: entry::stat::Time,
}

/// Fewer bytes than this are read by one thread.
const SHORT: usize = 1 << 20;

/// Everything is compared, whatever `core.trustCtime` and `core.checkStat` say: they are for a git that may take a change
/// for none, and here that would be lost. Where a writer left something out, the file is just hashed.
const OPTIONS: entry::stat::Options =
    entry::stat::Options { trust_ctime: true, check_stat: true, use_nsec: true, use_stdev: false };

impl Cache {
    /// Reads the index; a missing or damaged one only costs time.
    pub(crate) fn open(repo: &gix::Repository, index: &Path) -> Option<Self> {
        let dir = Dir::open(index.parent()?).ok()?;
        let name = std::os::unix::ffi::OsStrExt::as_bytes(index.file_name()?);
        let (_, stat) = dir.file(name).ok()?;
        let bytes = dir.read(name, limits::INDEX_BYTES).ok()?;
        let hash = repo.object_hash();
        let empty = gix::index::State::new(hash);
        // For a short one it takes longer to ask how many threads there may be.
        let thread_limit = if bytes.len() < SHORT { Some(1) } else { None };
        let options = decode::Options { thread_limit, ..decode::Options::default() };
        let (state, _) = gix::index::State::from_bytes(&bytes, empty.timestamp(), hash, options).ok()?;
        Some(Self { state, written: of(&stat).mtime })
    }

    /// An index of this tree without any stat data, so that no file counts as unchanged; in words why it cannot be read.
    pub(super) fn of_tree(repo: &gix::Repository, tree: ObjectId) -> Result<Self, String> {
        let index = repo.index_from_tree(&tree).map_err(|e| e.to_string())?;
        Ok(Self { state: index.into_parts().0, written: entry::stat::Time::default() })
    }

    /// Whether every entry is one file, as in an index that nobody has merged into.
    pub(super) fn is_plain(&self) -> bool {
        self.state.entries().iter().all(|entry| entry.stage_raw() == 0 && !entry.mode.is_sparse())
    }

    /// All of it.
    pub(super) fn state(&self) -> &gix::index::State {
        &self.state
    }

    /// The object that the file held when it was last looked at, if it was not touched since.
    pub(crate) fn unchanged(&self, path: &BStr, stat: &Stat) -> Option<ObjectId> {
        let entry = self.state.entry_by_path(path)?;
        self.is_unchanged(entry, stat).then_some(entry.id)
    }

    /// Whether the file was not touched since it was last looked at.
    pub(super) fn is_unchanged(&self, entry: &gix::index::Entry, stat: &Stat) -> bool {
        let now = of(stat);
        let time = |time: entry::stat::Time| (time.secs, time.nsecs);
        let older = time(entry.stat.mtime) < time(self.written);
        let link = entry.mode == entry::Mode::SYMLINK;
        let same_kind = link == (super::beneath::kind(stat) == rustix::fs::FileType::Symlink);
        older && same_kind && entry.stat.matches(&now, OPTIONS)
    }

    /// The entries, conflicts and what was left out of the tree among them.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&BStr, &gix::index::Entry)> {
        self.state.entries().iter().map(|entry| (entry.path(&self.state), entry))
    }

    /// The paths that were left out of the tree on purpose.
    pub(super) fn left_out(&self) -> Vec<BString> {
        let skipped = self.state.entries().iter().filter(|entry| entry.flags.contains(Flags::SKIP_WORKTREE));
        skipped.map(|entry| entry.path(&self.state).to_owned()).collect()
    }
}

/// What an index keeps of a stat.
#[expect(clippy::cast_possible_truncation, reason = "the index keeps the low 32 bits, as git does")]
#[expect(clippy::cast_sign_loss, reason = "the index keeps the low 32 bits, as git does")]
pub(crate) fn of(stat: &Stat) -> entry::Stat {
    entry::Stat {
        mtime: entry::stat::Time { secs: stat.st_mtime as u32, nsecs: stat.st_mtime_nsec as u32 },
        ctime: entry::stat::Time { secs: stat.st_ctime as u32, nsecs: stat.st_ctime_nsec as u32 },
        dev: stat.st_dev as u32,
        ino: stat.st_ino as u32,
        uid: stat.st_uid,
        gid: stat.st_gid,
        size: stat.st_size as u32,
    }
}
