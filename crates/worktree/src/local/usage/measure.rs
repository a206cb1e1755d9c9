//! Measures trees.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gix::glob::pattern::Case;
use serde::{Deserialize, Serialize};

use super::super::layout::Layout;
use super::super::list;
use super::super::record::{self, Record};
use crate::capture::fault;
use crate::capture::survey::{self, Extent, Found};
use crate::{Result, State, WorktreeId, view};

/// How many trees are walked at the same time.
const THREADS: usize = 2;
/// File systems whose files share blocks with nobody unless they are hard links: ext2 to ext4, and tmpfs.
const UNSHARED: [u64; 2] = [0xEF53, 0x0102_1994];

/// How much disk the worktrees of a repository take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// Each of them, by id.
    pub trees: Vec<TreeUsage>,
    /// What they take together, in bytes.
    pub bytes: u64,
    /// What is free for this user on the file system of the trees, in bytes.
    pub free: u64,
}

/// How much disk one worktree takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TreeUsage {
    /// Its id.
    pub id: WorktreeId,
    /// Where its tree is.
    pub path: PathBuf,
    /// What it is doing.
    pub state: State,
    /// The bytes that its tree and its private git directory have allocated; hard links count once.
    pub bytes: u64,
    /// The bytes that its removal gives back; none where that cannot be told because files may share blocks with others.
    pub exclusive: Option<u64>,
    /// How many of the bytes are in files that git ignores: build caches, mostly.
    pub ignored: u64,
    /// How many files and symlinks there are.
    pub files: u64,
    /// When it was last leased, adopted or kept.
    pub last_use: SystemTime,
    /// What could not be looked at; then there may be more.
    pub problem: Option<String>,
}

impl TreeUsage {
    /// What its removal gives back, as far as that is known.
    pub(super) fn gain(&self) -> u64 {
        self.exclusive.unwrap_or(self.bytes)
    }
}

/// Measures everything.
pub(super) fn usage(layout: &Layout) -> Result<Usage> {
    let found = records(layout)?;
    let queue = Mutex::new(found.into_iter());
    let measured = Mutex::new(Vec::new());
    let work = || {
        loop {
            let next = queue.lock().ok().and_then(|mut queue| queue.next());
            let Some((record, state)) = next else { break };
            let tree = measure(layout, record, state);
            if let Ok(mut measured) = measured.lock() {
                measured.push(tree);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..THREADS {
            // Without it this one does everything.
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let mut trees = measured.into_inner().unwrap_or_default();
    trees.sort_by(|a, b| a.id.cmp(&b.id));
    let bytes = trees.iter().map(|tree| tree.bytes).sum();
    Ok(Usage { trees, bytes, free: free(layout)? })
}

fn records(layout: &Layout) -> Result<Vec<(Record, State)>> {
    // Under the lock, so that looking whether a lease is held never keeps anybody from taking it.
    let _turn = layout.turn()?;
    let mut found = Vec::new();
    for id in record::ids(layout)? {
        // A record that cannot be read is in the list of worktrees, with what is wrong; there is no tree to measure.
        let Ok(Some(record)) = Record::read(layout, &id) else { continue };
        let state = list::state(layout, &record)?;
        found.push((record, state));
    }
    Ok(found)
}

fn measure(layout: &Layout, record: Record, state: State) -> TreeUsage {
    let id = record.parts.id;
    let path = record.parts.path;
    let written = layout.record(&id).metadata().and_then(|meta| meta.modified());
    let mut sum = Sum::default();
    let mut problem = sum.add(&path, layout);
    let view = view::dir(&layout.common, &id);
    if view.symlink_metadata().is_ok() {
        let ignored = sum.ignored;
        problem = problem.or(sum.add(&view, layout));
        sum.ignored = ignored;
    }
    let unshared =
        rustix::fs::statfs(&path).is_ok_and(|fs| u64::try_from(fs.f_type).is_ok_and(|kind| UNSHARED.contains(&kind)));
    let exclusive = (unshared && sum.linked.is_empty() && problem.is_none()).then_some(sum.bytes);
    TreeUsage {
        id,
        path,
        state,
        bytes: sum.bytes,
        exclusive,
        ignored: sum.ignored,
        files: sum.files,
        // Without a time it counts as used just now.
        last_use: written.unwrap_or_else(|_| now()),
        problem,
    }
}

fn now() -> SystemTime {
    // In whole seconds, as a record of it would say.
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[derive(Default)]
struct Sum {
    bytes: u64,
    ignored: u64,
    files: u64,
    /// Files with several names, which may be anywhere.
    linked: HashSet<u64>,
}

impl Sum {
    /// Adds a directory and everything in it, and says what could not be looked at.
    fn add(&mut self, root: &Path, layout: &Layout) -> Option<String> {
        match root.symlink_metadata() {
            Ok(meta) if meta.is_dir() => self.bytes += meta.blocks() * 512,
            Ok(_) => return Some("it is no directory".into()),
            Err(e) => return Some(format!("it cannot be looked at: {e}")),
        }
        let mut visit = |found: &Found<'_>| {
            self.one(found);
            ControlFlow::Continue(())
        };
        let walked = survey::survey(root, &layout.common, Case::Sensitive, Extent::Everything, &mut visit);
        let said = walked.map(|unseen| unseen.map(|unseen| unseen.to_string()));
        said.unwrap_or_else(|e| Some(format!("it cannot be read: {e}")))
    }

    fn one(&mut self, found: &Found<'_>) {
        let bytes = u64::try_from(found.stat.st_blocks).unwrap_or_default() * 512;
        let is_dir = found.is_dir();
        self.files += u64::from(!is_dir);
        if !is_dir && found.stat.st_nlink > 1 && !self.linked.insert(found.stat.st_ino) {
            return;
        }
        self.bytes += bytes;
        self.ignored += if found.ignored { bytes } else { 0 };
    }
}

/// What is free on the file system of the trees, whose directory need not be there yet.
fn free(layout: &Layout) -> Result<u64> {
    let there = layout.trees.ancestors().find(|dir| dir.is_dir()).unwrap_or(&layout.common);
    let fs = rustix::fs::statvfs(there).map_err(fault::io("look at the file system of", there))?;
    Ok(fs.f_bavail.saturating_mul(fs.f_frsize))
}
