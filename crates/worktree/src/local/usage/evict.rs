//! Removes what may go, one worktree after the other.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::layout::Layout;
use super::super::manager::{LocalWorktrees, slot};
use super::super::record::{Record, Stage};
use super::super::{lease, recover, release};
use super::measure::TreeUsage;
use super::plan::{self, Budget, Eviction, Spared};
use crate::capture::fault;
use crate::{Disposition, Error, Fate, Keeper, Rescue, Result};

/// What an eviction did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
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
        let turn = slot(&manager.captures).await;
        // All in one, so that whoever is dropped meanwhile leaves none half-way.
        let (tree, removed) = manager
            .blocking(move |layout| {
                let _turn = turn;
                let removed = remove(layout, &tree, &precious).unwrap_or_else(|e| Err(fault::with_causes(&e)));
                Ok((tree, removed))
            })
            .await?;
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

/// Removes one that nobody holds, or says why it stays; then it is as it was.
fn remove(layout: &Layout, tree: &TreeUsage, precious: &[String]) -> Result<std::result::Result<Vec<Rescue>, String>> {
    let id = &tree.id;
    // Held while it is looked at, so that nobody begins to work in it; written down is nothing yet.
    let Some(lock) = lease::claim(layout, id)? else { return Ok(Err("a living process holds it".into())) };
    if let Some(why) = plan::obstacle(layout, tree, precious) {
        return Ok(Err(why));
    }
    let Some(record) = Record::read(layout, id)? else { return Ok(Err("it is gone already".into())) };
    let stage = record.stage.clone();
    if record.is_on_offer() || !matches!(stage, Stage::Leased | Stage::Kept) {
        return Ok(Err("it is being handed over, made or removed".into()));
    }
    let worktree = recover::take(layout, record, lock)?;
    let lease = release::held(&worktree)?;
    let released = release::release(layout, worktree, &Disposition::Archive, &|_| Ok(()));
    if stage == Stage::Kept && !released.as_ref().is_ok_and(|released| released.fate == Fate::Removed) {
        keep_again(layout, &lease)?;
    }
    let released = released?;
    Ok(match released.fate {
        Fate::Removed => Ok(released.rescues),
        Fate::Kept { why, .. } => Err(why.unwrap_or_else(|| "it was kept".into())),
    })
}

/// Writes down that it is kept, as it was, unless somebody else leased it meanwhile.
fn keep_again(layout: &Layout, held: &release::Held) -> Result<()> {
    let Some(_lock) = lease::claim(layout, held.id())? else { return Ok(()) };
    match release::leased(layout, held) {
        Ok(mut record) => release::keep(layout, &mut record, Keeper::Request, None, Vec::new()).map(drop),
        // Kept already, on its way out, or somebody else's.
        Err(Error::LeaseLost { .. }) => Ok(()),
        Err(e) => Err(e),
    }
}
