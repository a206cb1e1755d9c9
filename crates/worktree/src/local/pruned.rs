//! Looks again whether what was rescued is there, before the only other copy goes.
//!
//! A `git gc --prune=now` that has read the refs before a new one was made deletes the objects that it names.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use gix::ObjectId;

use super::layout::Layout;
use super::record::Record;
use super::{base, fence, refs};
use crate::swap::{self, COMMITTER, Log, Value};
use crate::{Rescue, Result, capture, disk, repo};

/// How long a garbage collection is waited for. What lasts longer may delete something after this has looked.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where things were before a capture.
pub(super) struct Before {
    branch: Option<ObjectId>,
    rescues: Vec<Rescue>,
}

impl Before {
    /// As it is now.
    pub(super) fn now(repo: &gix::Repository, layout: &Layout, record: &Record) -> Result<Self> {
        let branch = record.parts.branch.as_ref().map(|branch| refs::branch_tip(repo, branch)).transpose()?.flatten();
        Ok(Self { branch, rescues: capture::rescues(&layout.common, &record.parts.id)? })
    }

    /// Whether this was under a rescue ref already.
    pub(super) fn has(&self, rescue: &Rescue) -> bool {
        self.rescues.contains(rescue)
    }
}

/// Whether everything that was rescued is there. If not, refs to what is incomplete are taken back as far as they were
/// made since, out of `rescues` too, so that it can be captured anew.
pub(super) fn is_whole(
    layout: &Layout,
    record: &Record,
    before: &Before,
    tip: Option<ObjectId>,
    rescues: &mut Vec<Rescue>,
) -> Result<bool> {
    if rescues.is_empty() {
        return Ok(true);
    }
    collected(layout);
    let known = base::object_id(&record.parts.base)?;
    // Anew: what an open one remembers of packs may be gone.
    let repo = repo::open(&layout.common)?;
    let mut broken = Vec::new();
    for rescue in rescues.iter() {
        if !capture::is_whole(&repo, known, base::object_id(&rescue.commit)?) {
            broken.push(rescue.clone());
        }
    }
    if broken.is_empty() {
        return Ok(true);
    }
    let _turn = fence::enter(layout, record)?;
    rescues.retain(|rescue| !broken.contains(rescue));
    for rescue in broken.iter().filter(|rescue| !before.has(rescue)) {
        let commit = base::object_id(&rescue.commit)?;
        swap::delete(&layout.common, &rescue.reference, |value| value == Value::Id(commit))?;
    }
    if let (Some(branch), Some(then), Some(tip)) = (&record.parts.branch, before.branch, tip)
        && then != tip
        && !capture::is_whole(&repo, known, tip)
    {
        let log = Log::new(&repo, COMMITTER, "capture: taken back");
        swap::set(&layout.common, &refs::full(branch), then, Some(&log), |value| value == Value::Id(tip))?;
    }
    Ok(false)
}

/// Waits for the end of a garbage collection that may have read the refs before they were set.
fn collected(layout: &Layout) {
    let started = Instant::now();
    let Some(first) = collector(layout) else { return };
    while started.elapsed() < PATIENCE && collector(layout).as_ref() == Some(&first) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The process that collects garbage at this moment, if it lives, by its place among all processes.
fn collector(layout: &Layout) -> Option<PathBuf> {
    let text = disk::read_small(&layout.common.join("gc.pid")).ok()?;
    let number: u32 = std::str::from_utf8(&text).ok()?.split_whitespace().next()?.parse().ok()?;
    Some(PathBuf::from(format!("/proc/{number}"))).filter(|process| process.exists())
}
