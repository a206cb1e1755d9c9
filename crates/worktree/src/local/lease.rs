//! Who may use a worktree: one handle of one living process.

use serde::{Deserialize, Serialize};

use super::generation;
use super::layout::Layout;
use super::lock::Lock;
use crate::{Error, Result, Taken, WorktreeId};
use crate::{disk, quarantine};

/// What a [`Worktree`](crate::Worktree) of ours holds.
#[derive(Debug)]
pub(super) struct Lease {
    /// The number of this lease; a record with another one belongs to somebody else.
    pub(super) id: String,
    /// Its place in the order of all leases.
    pub(super) generation: u64,
    /// Holds while the handle lives. That it can be taken is the proof that nobody holds the lease.
    pub(super) _lock: Lock,
}

/// Who holds a lease, as written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holder {
    /// The number of the lease, new each time.
    pub(super) lease: String,
    /// Grows with every lease that is given in a repository, so that of two holders the later one can be told.
    #[serde(default)]
    pub(super) generation: u64,
    /// What it calls itself, for people to look at.
    #[serde(default)]
    pub(super) owner: String,
    /// For people to look at; whether the holder lives is decided by the lock alone.
    pub(super) pid: u32,
    /// The boot in which that process ran.
    pub(super) boot: String,
}

impl Holder {
    /// This process, with a new lease.
    pub(super) fn new(layout: &Layout) -> Result<Self> {
        let owner = layout.owner.to_string();
        let generation = generation::next(layout)?;
        Ok(Self { lease: disk::token()?, generation, owner, pid: std::process::id(), boot: boot() })
    }

    /// The reason in git's `locked` file while the worktree is leased.
    pub(super) fn reason(&self, id: &WorktreeId) -> String {
        format!("hedgerow worktree {id}: leased, {}", self.facts())
    }

    /// The reason while it is on its way to another holder.
    pub(super) fn handing_over(&self, id: &WorktreeId) -> String {
        format!("hedgerow worktree {id}: being handed over, last {}", self.facts())
    }

    fn facts(&self) -> String {
        let Self { lease, generation, owner, pid, boot } = self;
        format!("owner={owner} generation={generation} lease={lease} pid={pid} boot={boot}")
    }
}

/// What holders are called: one word, so that the reason stays one line that can be taken apart.
pub(super) fn owner(given: Option<String>) -> String {
    let name = given.or_else(|| std::fs::read_to_string("/proc/self/comm").ok()).unwrap_or_default();
    let plain = |c: char| if c.is_whitespace() || c.is_control() { '-' } else { c };
    let name: String = name.trim().chars().take(64).map(plain).collect();
    if name.is_empty() { "unknown".to_owned() } else { name }
}

/// The number of the machine's current boot.
pub(super) fn boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

/// Takes the lock of an id, so that nobody else creates, adopts or recovers it.
///
/// All such locks are taken under the lock of the repository, so that a probe never makes a free one look taken.
pub(super) fn claim(layout: &Layout, id: &WorktreeId) -> Result<Option<Lock>> {
    let _turn = layout.turn()?;
    let path = layout.lease(id);
    Lock::take(&path).or_else(|e| {
        if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
            // Whoever can write here put it there. Nobody holds a lease with it, and it must not keep anybody from one.
            quarantine::take(&layout.state, &path, "it was in the place of the lock of a lease")?;
            return Lock::take(&path);
        }
        Err(e)
    })
}

/// Whether somebody holds the lease of this id, as far as can be told: what is no lock file may hide one who does. The
/// caller holds the lock of the repository.
pub(super) fn is_held(layout: &Layout, id: &WorktreeId) -> bool {
    Lock::is_held(&layout.lease(id)).unwrap_or(true)
}

/// The error for an id that is in use.
pub(super) fn occupied(id: &WorktreeId, problem: &str) -> Error {
    Error::Occupied { what: Taken::Id, name: id.to_string(), problem: problem.to_owned() }
}
