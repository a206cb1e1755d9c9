//! The main checkout: which files in it are not as its index says.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use gix::bstr::{BStr, BString, ByteSlice};
use gix::glob::pattern::Case;
use gix::index::entry::{Flags, Mode};
use rustix::fs::Stat;
use serde::{Deserialize, Serialize};

use super::seen::{self, Seen};
use crate::capture::survey::{self, Extent};
use crate::capture::{Cache, fault};
use crate::{Result, disk};

/// Untracked files that are remembered; more are only counted as unknown.
const UNTRACKED: usize = 20_000;
/// Bytes of untracked files that are read to remember which content they have.
const HASHED: u64 = 256 << 20;

/// The state of the main checkout.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Checkout {
    /// What the index holds, without what it remembers about files; none when there is no readable index.
    pub(super) index: Option<String>,
    /// What is not as the index says: tracked files that differ or are gone, and untracked ones that are not ignored.
    pub(super) files: BTreeMap<String, Stamp>,
    /// What could not be looked at.
    pub(super) unknown: Option<String>,
    /// The content that the index holds at each path; only of the present, to tell what was committed since.
    #[serde(skip)]
    pub(super) staged: BTreeMap<String, String>,
}

/// A file that is not as the index says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Stamp {
    /// A tracked file that is gone.
    Gone,
    /// A file with another content, or that is not tracked.
    File {
        /// Its kind and permissions.
        mode: u32,
        /// Its size.
        size: i64,
        /// When it was written.
        written: (i64, i64),
        /// Which content it has, if it was read.
        print: Option<String>,
    },
}

impl PartialEq for Stamp {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Gone, Self::Gone) => true,
            (
                Self::File { mode, print: Some(print), .. },
                Self::File { mode: other_mode, print: Some(other_print), .. },
            ) => (mode, print) == (other_mode, other_print),
            (
                Self::File { mode, size, written, .. },
                Self::File { mode: other_mode, size: other_size, written: other_written, .. },
            ) => (mode, size, written) == (other_mode, other_size, other_written),
            _ => false,
        }
    }
}

impl Stamp {
    /// Which content it has, if it was read.
    pub(super) fn print(&self) -> Option<&str> {
        match self {
            Self::File { print, .. } => print.as_deref(),
            Self::Gone => None,
        }
    }

    fn of(stat: &Stat, print: Option<String>) -> Self {
        // A symlink has no permissions of its own.
        let mode = if stat.st_mode & 0o170_000 == 0o120_000 { 0o120_000 } else { stat.st_mode & !0o077 };
        #[expect(clippy::useless_conversion, reason = "the types differ between systems")]
        let written = (i64::from(stat.st_mtime), i64::try_from(stat.st_mtime_nsec).unwrap_or_default());
        Self::File { mode, size: stat.st_size, written, print }
    }
}

/// Looks at the main checkout. Nothing in it changes, not even what its index remembers.
pub(super) fn take(repo: &gix::Repository, common: &Path, main: &Path) -> Result<Checkout> {
    let mut checkout = Checkout::default();
    let fold = repo.config_snapshot().boolean("core.ignoreCase").unwrap_or(false);
    let executable = repo.config_snapshot().boolean("core.fileMode").unwrap_or(true);
    let case = if fold { Case::Fold } else { Case::Sensitive };
    let index = common.join("index");
    let mut tracked: HashSet<BString> = HashSet::new();
    match Cache::open(repo, &index) {
        Some(cache) => {
            checkout.index = Some(entries(&cache, &mut checkout.staged));
            for (path, entry) in cache.entries() {
                tracked.insert(path.to_owned());
                let file = matches!(entry.mode, Mode::FILE | Mode::FILE_EXECUTABLE | Mode::SYMLINK);
                if file && !entry.flags.contains(Flags::SKIP_WORKTREE) {
                    let stamp = tracked_file(&cache, main, path, entry, executable);
                    checkout.files.extend(stamp.map(|stamp| (path.to_string(), stamp)));
                }
            }
        }
        None if index.symlink_metadata().is_ok() => checkout.unknown = Some("its index cannot be read".into()),
        None => {}
    }
    untracked(&mut checkout, &tracked, common, main, case)?;
    Ok(checkout)
}

fn untracked(
    checkout: &mut Checkout,
    tracked: &HashSet<BString>,
    common: &Path,
    main: &Path,
    case: Case,
) -> Result<()> {
    let (mut count, mut room) = (0, HASHED);
    let mut visit = |found: &survey::Found<'_>| {
        if found.ignored || found.is_dir() || tracked.contains(found.path) {
            return ControlFlow::Continue(());
        }
        count += 1;
        let size = u64::try_from(found.stat.st_size).unwrap_or_default();
        let print = room.checked_sub(size).and_then(|left| {
            room = left;
            print(main, found.path)
        });
        checkout.files.insert(found.path.to_string(), Stamp::of(found.stat, print));
        if count < UNTRACKED { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let problem = survey::survey(main, common, case, Extent::Visible, &mut visit);
    let problem = problem.map_err(fault::io("look through", main))?;
    let many = (count >= UNTRACKED).then(|| "it has more untracked files than are looked at".to_owned());
    let problem = problem.map(|unseen| unseen.to_string());
    checkout.unknown = checkout.unknown.take().or(problem).or(many);
    Ok(())
}

/// How a tracked file differs from its entry, if it does.
fn tracked_file(cache: &Cache, main: &Path, path: &BStr, entry: &gix::index::Entry, executable: bool) -> Option<Stamp> {
    let file = main.join(OsStr::from_bytes(path));
    let Ok(stat) = rustix::fs::lstat(&file) else { return Some(Stamp::Gone) };
    if cache.unchanged(path, &stat).is_some() {
        return None;
    }
    let print = print(main, path);
    let same_mode = !executable || (stat.st_mode & 0o100 != 0) == (entry.mode == Mode::FILE_EXECUTABLE);
    let same_mode = same_mode || entry.mode == Mode::SYMLINK;
    if same_mode && print.as_deref() == Some(entry.id.to_string().as_str()) {
        return None;
    }
    Some(Stamp::of(&stat, print))
}

fn print(main: &Path, path: &BStr) -> Option<String> {
    let file = main.join(OsStr::from_bytes(path));
    // A directory may have become a symlink to another place.
    disk::identity(file.parent()?)?;
    match Seen::at(&file)? {
        Seen::File(file) => Some(file.print),
        Seen::Link(target) => Some(seen::print(target.as_bytes())),
        Seen::Other(_) => None,
    }
}

/// What the index holds, as one name for all of it.
fn entries(cache: &Cache, staged: &mut BTreeMap<String, String>) -> String {
    let mut text = Vec::new();
    for (path, entry) in cache.entries() {
        let flags = entry.flags & (Flags::SKIP_WORKTREE | Flags::INTENT_TO_ADD | Flags::STAGE_MASK);
        text.extend_from_slice(format!("{:o} {} {:x} ", entry.mode, entry.id, flags.bits()).as_bytes());
        text.extend_from_slice(path.as_bytes());
        text.push(0);
        staged.insert(path.to_string(), entry.id.to_string());
    }
    seen::print(&text)
}
