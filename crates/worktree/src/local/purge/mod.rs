//! Deletes what has left, when nobody can stumble over it any more.
//!
//! A worktree that was removed is out of the way at once: its tree has another name, and git passes by its admin
//! directory, which has no `gitdir` any more. But a git that had read that `gitdir` just before still looks for the other
//! files. So they stay for longer than any git takes to look at an entry, and only then the directory moves out.

mod worker;

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub(super) use worker::Purger;

use super::layout::Layout;
use super::lock::Lock;
use super::manager::CancelOnDrop;
use super::record::Record;
use super::{departure, pool, refs, stale, trash};
use crate::capture::fault;
use crate::disk;
use crate::swap::Packers;
use crate::{Error, LocalWorktrees, Purged, Result};

impl LocalWorktrees {
    /// Deletes for good what was removed, and waits until that is done: up to two seconds after the last removal, for
    /// which git's entries stay where a git that looks at them just then finds them whole.
    ///
    /// All of it happens in the background anyway, for as long as this manager lives, and what a process that ended has
    /// left is gone on with by the next recovery or removal. So this is for an orderly end, and for whoever wants to
    /// know. It may be dropped half-way.
    ///
    /// # Errors
    /// When the trash cannot be read; what cannot be deleted is in [`Purged::left`].
    pub async fn purge(&self) -> Result<Purged> {
        let cancel = CancelOnDrop(Arc::default());
        let cancelled = Arc::clone(&cancel.0);
        let grace = self.purger.grace();
        self.blocking(move |layout| finish(layout, grace, &cancelled)).await
    }
}

/// How long an entry stays after its `gitdir` is gone.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// How long whoever waits for the end lets another process delete, before it says that this one may be stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// The names of the admin directories that are leaving; they belong to no worktree any more.
pub(super) fn leaving(layout: &Layout) -> Result<HashSet<String>> {
    let dir = layout.trash();
    let mut found = HashSet::new();
    for entry in std::fs::read_dir(&dir).map_err(fault::io("list", &dir))? {
        let name = entry.map_err(fault::io("list", &dir))?.file_name();
        found.extend(name.to_str().and_then(|name| name.strip_suffix(".json")).map(str::to_owned));
    }
    Ok(found)
}

/// One who purges, and what it remembers while it does.
#[derive(Debug)]
struct Purge<'a> {
    layout: &'a Layout,
    grace: Duration,
    stop: &'a AtomicBool,
    /// When it saw each for the first time: clocks of other processes may be wrong, this one's is not.
    seen: HashMap<String, Instant>,
    /// Since when it has met nobody but another one at work.
    waiting: Option<Instant>,
    /// How long it waits for that one.
    patience: Duration,
    /// So that it waits once for a lock that a killed git left, and not once for each.
    packers: Packers,
}

/// What one round came to.
#[derive(Debug, Default)]
struct Round {
    purged: Purged,
    /// When the next one is due, if something has to stay for a while.
    wait: Option<Duration>,
}

/// What became of one that leaves.
enum Step {
    Gone,
    /// Somebody else has deleted it meanwhile.
    Missing,
    Due(Duration),
}

impl<'a> Purge<'a> {
    fn new(layout: &'a Layout, grace: Duration, stop: &'a AtomicBool) -> Self {
        Self {
            layout,
            grace,
            stop,
            seen: HashMap::new(),
            waiting: None,
            patience: PATIENCE,
            packers: Packers::default(),
        }
    }

    /// Deletes what is due now, and says when more is.
    fn round(&mut self) -> Result<Round> {
        let mut round = Round::default();
        let mut names: Vec<_> = leaving(self.layout)?.into_iter().collect();
        names.sort();
        if names.iter().any(|name| !self.seen.contains_key(name)) {
            // After a power failure nothing may have come back of which something is deleted.
            disk::sync_dir(&self.layout.trash())?;
        }
        for name in names {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            match self.one(&name) {
                Ok(Step::Gone) => round.purged.deleted += 1,
                Ok(Step::Missing) => {}
                Ok(Step::Due(after)) => round.wait = Some(round.wait.map_or(after, |wait| wait.min(after))),
                Err(e) => round.purged.left.push(format!("{name}: {}", fault::with_causes(&e))),
            }
        }
        Ok(round)
    }

    fn one(&mut self, name: &str) -> Result<Step> {
        /// How soon to look again at what another process is deleting.
        const BUSY: Duration = Duration::from_millis(20);
        let layout = self.layout;
        let Some(_turn) = Lock::take(&layout.purge())? else {
            let since = *self.waiting.get_or_insert_with(Instant::now);
            if since.elapsed() < self.patience {
                return Ok(Step::Due(BUSY));
            }
            return Err(Error::Locked { path: layout.purge(), seconds: self.patience.as_secs() });
        };
        self.waiting = None;
        let Some(record) = Record::read_leaving(layout, name)? else { return Ok(Step::Missing) };
        let seen = *self.seen.entry(name.to_owned()).or_insert_with(Instant::now);
        if disk::identity(&record.trash).is_some() && !record.is_tree(&record.trash) {
            return Err(fault::strange(&record.trash, "this is not the tree that was moved to the trash; look at it"));
        }
        // A tree that went back into a pool is not garbage.
        let trash = Some(&record.trash).filter(|path| !pool::is_slot(path));
        let others = [&record.temporary, &layout.leaving_view(name), &layout.leaving_index(name)];
        for path in trash.into_iter().chain(others) {
            trash::delete_unless(path, self.stop).map_err(fault::io("delete", path))?;
        }
        // The admin directory that was being made, and small files that a killed process was about to move.
        let staging = layout.staging();
        for entry in std::fs::read_dir(&staging).map_err(fault::io("list", &staging))? {
            let path = entry.map_err(fault::io("list", &staging))?.path();
            let ours = |name: &OsStr| !record.token.is_empty() && name.as_bytes().starts_with(record.token.as_bytes());
            if path.file_name().is_some_and(ours) {
                trash::delete_unless(&path, self.stop).map_err(fault::io("delete", &path))?;
            }
        }
        let entry = record.admin_dir(layout);
        let moved = layout.trash().join(name);
        if disk::identity(&entry).is_some() {
            let stayed = record.written().max(seen.elapsed());
            if stayed < self.grace {
                return Ok(Step::Due(self.grace - stayed));
            }
            disk::rename_new(&entry, &moved).map_err(fault::io("move to the trash", &entry))?;
        }
        trash::delete_unless(&moved, self.stop).map_err(fault::io("delete", &moved))?;
        // Of one who was killed just here.
        stale::clear_pin(layout, &record)?;
        refs::unpin_base(&layout.common, name, &record.parts.base, &self.packers)?;
        departure::forget(layout, name)?;
        disk::remove_file(&layout.leaving(name))?;
        Ok(Step::Gone)
    }
}

/// Deletes all that has left, and waits for what must stay a while. Ends early when it is told to stop.
fn finish(layout: &Layout, grace: Duration, stop: &AtomicBool) -> Result<Purged> {
    /// How soon it notices that nobody waits for it any more.
    const SLICE: Duration = Duration::from_millis(20);
    let mut purge = Purge::new(layout, grace, stop);
    let mut deleted = 0;
    loop {
        let round = purge.round()?;
        deleted += round.purged.deleted;
        let Some(wait) = round.wait else { return Ok(Purged { deleted, left: round.purged.left }) };
        let started = Instant::now();
        while started.elapsed() < wait {
            if stop.load(Ordering::Relaxed) {
                return Ok(Purged { deleted, left: round.purged.left });
            }
            std::thread::sleep(SLICE.min(wait.saturating_sub(started.elapsed())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_for_a_purge_that_is_stuck_is_told_so_in_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let common = dir.path().to_owned();
        let (trees, state, owner) = (common.join("trees"), common.join("hedgerow"), "test".into());
        let (left, hidden) = (Arc::default(), Default::default());
        let layout = Layout {
            trees,
            main: None,
            state,
            common,
            owner,
            left,
            git: None,
            hidden,
            threads: 1,
            gate: Arc::default(),
        };
        std::fs::create_dir_all(layout.trash()).unwrap();
        std::fs::write(layout.leaving("x"), "").unwrap();
        let _stuck = Lock::take(&layout.purge()).unwrap().unwrap();
        let never = AtomicBool::new(false);
        let mut purge = Purge::new(&layout, Duration::ZERO, &never);
        let round = purge.round().unwrap();
        assert!(round.wait.is_some() && round.purged.left.is_empty());
        purge.patience = Duration::ZERO;
        let round = purge.round().unwrap();
        assert_eq!((round.wait, round.purged.left.len()), (None, 1));
    }
}
