//! Watches what all worktrees of a repository share: configuration, hooks, refs, the stash, the main checkout.
//!
//! With direct access an agent's git can change all of it. A fingerprint before a task and a comparison after it say what
//! changed; what can be put back exactly is put back on demand. Everything read here may have been written by an agent:
//! no symlink is followed, sizes are bounded, no program is run.

mod change;
mod checkout;
mod compare;
mod config;
mod fingerprint;
mod keys;
mod lost;
mod repair;
mod seen;

pub use change::{Change, Loss, Repair, What};
pub use fingerprint::Fingerprint;

use gix::ObjectId;

use super::layout::Layout;
use super::manager::LocalWorktrees;
use crate::{Result, WorktreeId, capture, repo};

impl LocalWorktrees {
    /// Remembers the state that all worktrees of the repository share, to compare it with a later one.
    ///
    /// It looks at every tracked file of the main checkout, as `git status` does, and changes nothing.
    ///
    /// # Errors
    /// When the repository cannot be read.
    pub async fn fingerprint(&self) -> Result<Fingerprint> {
        self.blocking(fingerprint::take).await
    }

    /// What of the shared state is not as it was, apart from what was to be expected.
    ///
    /// Expected is what `tasks`, the worktrees whose agents were at work meanwhile, do with their own branches, and what
    /// this crate does: worktrees that come and go with their refs, rescue refs that are added, and branches of managed
    /// worktrees that go on. Nobody writes down who changed the rest: a person at work in the repository at the same
    /// time is reported like an agent.
    ///
    /// # Errors
    /// When the repository cannot be read. A damaged configuration is a [`Change`], not an error.
    pub async fn changes_since(&self, before: &Fingerprint, tasks: &[WorktreeId]) -> Result<Vec<Change>> {
        let (before, tasks) = (before.clone(), tasks.to_vec());
        self.blocking(move |layout| changes(layout, &before, &tasks)).await
    }

    /// Puts back what a change took away, as far as that can be done exactly and without touching the user's files.
    ///
    /// * Dangerous keys of the configuration get their former values, under git's own lock and only if the file is still
    ///   as it was when the change was found. If nothing else was changed in it, the whole file becomes what it was.
    /// * Hooks that were planted are moved to a quarantine in [`state_dir`](Self::state_dir); changed and removed ones
    ///   become what they were. So do the files with patterns and attributes.
    /// * A deleted ref is put back; what a moved one held, and what the stash lost, is put under a rescue ref of `task`,
    ///   as long as the objects are there.
    ///
    /// Whatever is replaced is kept in the quarantine. Everything is durable when this returns; cancelled, it is finished
    /// in the background.
    ///
    /// # Errors
    /// When the repository cannot be read or written. That nothing can be done is a [`Repair::Left`].
    pub async fn repair(&self, before: &Fingerprint, change: &Change, task: &WorktreeId) -> Result<Repair> {
        let (before, change, task) = (before.clone(), change.clone(), task.clone());
        self.blocking(move |layout| repair::repair(layout, &before, &change, &task)).await
    }
}

fn changes(layout: &Layout, before: &Fingerprint, tasks: &[WorktreeId]) -> Result<Vec<Change>> {
    let after = fingerprint::take(layout)?;
    // Without a usable repository nothing is known to hold anything.
    let repo = repo::open(&layout.common).ok();
    let holds = |old: &str, new: &str| {
        let id = |text: &str| ObjectId::from_hex(text.as_bytes()).ok();
        let (Some(repo), Some(old), Some(new)) = (&repo, id(old), id(new)) else { return false };
        if [old, new].iter().any(|id| id.kind() != repo.object_hash()) {
            return false;
        }
        capture::contains(repo, new, old).unwrap_or(false)
    };
    Ok(compare::Comparison { before, after: &after, tasks, holds: &holds }.changes())
}
