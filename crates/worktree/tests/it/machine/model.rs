//! What can happen, and what is known of each worktree.

use std::collections::BTreeSet;

use hedgerow_worktree::Worktree;

/// One thing that happens; the numbers say to which worktree and which file.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Create(usize),
    Write(usize, usize),
    Delete(usize, usize),
    /// The agent commits everything.
    Commit(usize),
    /// The agent moves its branch back to the base, its files stay.
    Rewind(usize),
    Capture(usize),
    Release(usize, Disposal),
    /// The handle goes, as when its owner dies.
    Drop(usize),
    /// Another manager recovers.
    Recover,
    Adopt(usize),
    Foreign(Foreign),
    /// Somebody tries to delete the branch.
    DeleteBranch(usize),
    /// A process that does this is killed after so many milliseconds.
    Kill(usize, Victim, u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disposal {
    Keep,
    Archive,
    Merged,
    Discard,
}

/// What other people run in the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Foreign {
    Prune,
    Gc,
    Pack,
    Add,
    Remove,
}

/// What the killed process was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Victim {
    Create,
    Release,
    Recover,
}

/// What is known of the worktree of one id.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// The handle, while this process holds it.
    pub(super) held: Option<Worktree>,
    /// Contents that must be found again: those that lay in the tree at its last capture, release or death, by object id.
    pub(super) promised: BTreeSet<String>,
    /// Promises of worktrees of this id that are over; those last for ever.
    pub(super) settled: BTreeSet<String>,
}

impl Slot {
    /// The worktree is over, or another one may be in its place.
    pub(super) fn settle(&mut self) {
        self.settled.append(&mut self.promised);
    }
}
