//! Removes what may go, one worktree after the other.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::manager::LocalWorktrees;
use super::plan::{self, Budget, Eviction, Spared};
use crate::{Disposition, Error, Fate, Rescue, Result, WorktreeId, WorktreeManager};

/// What an eviction did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evicted {
    /// What is gone.
    pub removed: Vec<Eviction>,
    /// Where the commits are that nothing else holds.
    pub rescues: Vec<Rescue>,
    /// What stays, and why.
    pub spared: Vec<Spared>,
    /// How many bytes are still too many.
    pub missing: u64,
}

/// Goes through what may go until the budget is kept; each is looked at just before it goes.
pub(super) async fn evict(manager: &LocalWorktrees, budget: &Budget) -> Result<Evicted> {
    let usage = manager.usage().await?;
    let mut done = Evicted { missing: budget.excess(&usage), ..Evicted::default() };
    for tree in plan::ordered(usage.trees) {
        if done.missing == 0 {
            break;
        }
        let (gain, precious) = (tree.gain(), Arc::clone(&manager.precious));
        let (tree, obstacle) = manager
            .blocking(move |layout| {
                let obstacle = plan::obstacle(layout, &tree, &precious);
                Ok((tree, obstacle))
            })
            .await?;
        let removed = match obstacle {
            Some(why) => Err(why),
            None => remove(manager, &tree.id).await,
        };
        match removed {
            Ok(rescues) => {
                done.missing = done.missing.saturating_sub(gain);
                done.removed.push(tree.into());
                done.rescues.extend(rescues);
            }
            Err(why) => done.spared.push(Spared { id: tree.id, why }),
        }
    }
    Ok(done)
}

async fn remove(manager: &LocalWorktrees, id: &WorktreeId) -> std::result::Result<Vec<Rescue>, String> {
    let told = |e: Error| crate::capture::fault::with_causes(&e);
    let worktree = manager.adopt(id).await.map_err(told)?;
    let released = manager.release(worktree, Disposition::Archive).await.map_err(told)?;
    match released.fate {
        Fate::Removed => Ok(released.rescues),
        Fate::Kept { why, .. } => Err(why.unwrap_or_else(|| "it was kept".into())),
    }
}
