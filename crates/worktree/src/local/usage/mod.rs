//! How much disk the worktrees take, and which of them may go when it is too much.

mod evict;
mod measure;
mod plan;

pub use evict::Evicted;
pub use measure::{TreeUsage, Usage};
pub use plan::{Budget, Eviction, Plan, Spared};

use std::sync::Arc;

use super::manager::LocalWorktrees;
use crate::Result;

impl LocalWorktrees {
    /// Measures every worktree that this crate manages, and the room that is left.
    ///
    /// Trees are walked by two threads at most; no symlink is followed and no other file system entered. What somebody
    /// writes or removes meanwhile may be counted or not.
    ///
    /// # Errors
    /// When the records cannot be read; a tree that cannot be is reported in its [`TreeUsage::problem`].
    pub async fn usage(&self) -> Result<Usage> {
        self.blocking(measure::usage).await
    }

    /// What [`evict`](Self::evict) would do now, and in which order. Nothing is changed.
    ///
    /// # Errors
    /// As [`usage`](Self::usage).
    pub async fn plan_eviction(&self, budget: &Budget) -> Result<Plan> {
        let (budget, precious) = (*budget, Arc::clone(&self.precious));
        self.blocking(move |layout| plan::plan(layout, measure::usage(layout)?, &budget, &precious)).await
    }

    /// Archives worktrees that nobody holds until the budget is kept, and says what it did and what it left.
    ///
    /// Only worktrees that were kept or whose owner is dead are considered, and of these only those in which provably
    /// nothing would be lost: every file is as the branch has it, apart from ignored ones, and
    /// [`inspect`](crate::WorktreeManager::inspect) finds nothing that a rescue ref would not hold: no precious files, no
    /// rewritten commits, nothing in progress, no process inside. What cannot be told stays. The one that was used least
    /// recently goes first; of equally old ones (within a day) the larger one.
    ///
    /// Each goes the way of a release with [`Disposition::Archive`](crate::Disposition::Archive), and so do commits of
    /// it that nothing else holds: under a rescue ref first. Cancelled, it ends after the worktree that it is at. What
    /// was kept and could not be removed is still kept.
    ///
    /// # Errors
    /// As [`usage`](Self::usage). That a single worktree could not be removed is reported in [`Evicted::spared`].
    pub async fn evict(&self, budget: &Budget) -> Result<Evicted> {
        evict::evict(self, budget).await
    }
}
