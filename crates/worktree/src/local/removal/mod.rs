//! Removal in two steps: planned and shown, then looked at again and done.

mod plan;

use super::layout::Layout;
use super::manager::{LocalWorktrees, slot};
use super::release::{self, Ended};
use crate::{Disposition, Fate, Keeper, Released, Removal, Result, Worktree};

impl LocalWorktrees {
    /// Says what [`release`](crate::WorktreeManager::release) would do with a worktree, and what keeps it from doing so.
    /// Reads only.
    ///
    /// It is stricter than a release: what cannot be told, processes at work inside, listed files that git ignores and
    /// nested repositories are reasons to keep the worktree.
    ///
    /// # Errors
    /// [`Error::LeaseLost`](crate::Error::LeaseLost) when the handle is outdated; any other when the repository cannot be
    /// read.
    pub async fn plan(&self, worktree: &Worktree, disposition: Disposition) -> Result<Removal> {
        let slot = slot(&self.captures).await;
        let held = release::held(worktree)?;
        let precious = self.precious.clone();
        self.blocking(move |layout| {
            let _slot = slot;
            plan::plan(layout, &release::leased(layout, &held)?, disposition, &precious)
        })
        .await
    }

    /// Does what was planned, if the worktree still is what it was then.
    ///
    /// Otherwise nothing is done: [`Fate::Kept`](crate::Fate::Kept) says what has changed, and the worktree can be adopted
    /// and planned anew. What is written after this has looked again and before the tree is gone is not seen.
    ///
    /// Rescue refs are durable before the tree goes. Cancelled, it has either not begun, and the worktree is orphaned as
    /// its handle is gone, or it ends in the background; what a killed process leaves of it, the next recovery finishes, or
    /// adopts if the tree had not gone.
    ///
    /// # Errors
    /// As [`release`](crate::WorktreeManager::release).
    pub async fn apply(&self, worktree: Worktree, removal: Removal) -> Result<Released> {
        let slot = slot(&self.captures).await;
        let precious = self.precious.clone();
        self.blocking(move |layout| {
            let ended = apply(layout, worktree, &removal, &precious)?;
            drop(slot);
            ended.settle()
        })
        .await
    }
}

fn apply(layout: &Layout, worktree: Worktree, removal: &Removal, precious: &[String]) -> Result<Ended> {
    let record = release::leased(layout, &release::held(&worktree)?)?;
    if removal.disposition == Disposition::Keep {
        return release::end(layout, worktree, &removal.disposition, &|_| Ok(()));
    }
    let kept = |why: String| {
        let fate = Fate::Kept { path: record.parts.path.clone(), by: Keeper::Plan, why: Some(why) };
        Ok(Released { fate, rescues: Vec::new(), notices: Vec::new() }.into())
    };
    if removal.id != record.parts.id || removal.path != record.parts.path {
        return kept(format!("this was planned for another worktree, {}", removal.id));
    }
    let now = plan::plan(layout, &record, removal.disposition.clone(), precious)?;
    if let Some(what) = removal.seen.changes(&now.seen) {
        return kept(format!("changed since it was planned: {what}"));
    }
    if let Some(why) = now.obstacles.first() {
        return kept(why.clone());
    }
    release::end(layout, worktree, &removal.disposition, &|_| Ok(()))
}
