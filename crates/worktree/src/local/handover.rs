//! Passes a lease on to another process.

use std::fmt;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::clock::Moment;
use super::layout::Layout;
use super::lease;
use super::locked::write_reason;
use super::manager::LocalWorktrees;
use super::record::{Record, Stage};
use super::release::{held, leased, lost};
use super::{fence, recover};
use crate::disk;
use crate::{Result, Worktree, WorktreeId};

/// The right to accept a worktree that was handed over; whoever has it can, once.
///
/// It can be serialized and sent to another process of the same machine. It is as secret as the worktree is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[must_use = "a worktree that was handed over is nobody's until it is accepted or its time is over"]
pub struct Handover {
    id: WorktreeId,
    generation: u64,
    token: String,
}

impl Handover {
    /// Which worktree it is for.
    pub fn id(&self) -> &WorktreeId {
        &self.id
    }
}

impl fmt::Debug for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Handover");
        shown.field("id", &self.id).field("generation", &self.generation).finish_non_exhaustive()
    }
}

/// What the record says about a handover that was not accepted yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Offer {
    token: String,
    since: Moment,
    /// In milliseconds.
    validity: u64,
}

impl Offer {
    /// Whether it may still be accepted. An offer does not outlive a boot.
    pub(super) fn is_valid(&self) -> bool {
        self.since.age().is_some_and(|age| age < Duration::from_millis(self.validity))
    }
}

impl LocalWorktrees {
    /// Gives up the lease for the one who [accepts](Self::accept) it, in this or another process.
    ///
    /// For as long as `validity` nobody else gets it, and no recovery takes it for orphaned; that time is measured from
    /// boot, so that setting the clock does not change it. Afterwards, and after a reboot, it is orphaned like one whose
    /// owner died. The offer is durable when this returns. Operations of the given handle that were cancelled and go on
    /// in the background cannot move anything any more.
    ///
    /// # Errors
    /// [`Error::LeaseLost`](crate::Error::LeaseLost) when the handle does not hold the lease any more. Whatever the
    /// error is, the lease is given up, and a worktree that nobody was offered is orphaned.
    pub async fn hand_over(&self, worktree: Worktree, validity: Duration) -> Result<Handover> {
        self.blocking(move |layout| hand_over(layout, worktree, validity)).await
    }

    /// Takes over the lease of a worktree that was [handed over](Self::hand_over).
    ///
    /// The lease is written down when this returns. Cancelled, it has either not begun, and the offer stands, or it ends
    /// in the background, and what it took is orphaned like a handle that was dropped: [`recover`] or [`adopt`] gets it.
    ///
    /// [`recover`]: crate::WorktreeManager::recover
    /// [`adopt`]: Self::adopt
    ///
    /// # Errors
    /// [`Error::LeaseLost`](crate::Error::LeaseLost) when the handover was accepted before, is too old, or was never
    /// made: of several who accept the same one, exactly one gets it.
    pub async fn accept(&self, handover: &Handover) -> Result<Worktree> {
        let handover = handover.clone();
        self.blocking(move |layout| accept(layout, &handover)).await
    }
}

fn hand_over(layout: &Layout, worktree: Worktree, validity: Duration) -> Result<Handover> {
    let mut record = leased(layout, &held(&worktree)?)?;
    let turn = fence::enter(layout, &record)?;
    let token = disk::token()? + &disk::token()?;
    let validity = u64::try_from(validity.as_millis()).unwrap_or(u64::MAX);
    record.offer = Some(Offer { token: token.clone(), since: Moment::now(), validity });
    record.write(layout)?;
    drop(turn);
    let (id, generation) = (record.parts.id.clone(), record.holder.generation);
    write_reason(layout, &record, &record.holder.handing_over(&id))?;
    drop(worktree);
    Ok(Handover { id, generation, token })
}

fn accept(layout: &Layout, handover: &Handover) -> Result<Worktree> {
    /// How long a recovery that looks at the record at this moment may take to see that it is on offer.
    const PATIENCE: Duration = Duration::from_secs(5);
    let id = &handover.id;
    let started = Instant::now();
    loop {
        on_offer(layout, handover)?;
        if let Some(lock) = lease::claim(layout, id)? {
            return recover::take(layout, on_offer(layout, handover)?, lock);
        }
        if started.elapsed() > PATIENCE {
            return Err(lost(id, "a living process holds it"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The record, if this very handover may be accepted.
fn on_offer(layout: &Layout, handover: &Handover) -> Result<Record> {
    let id = &handover.id;
    let Some(record) = Record::read(layout, id)? else { return Err(lost(id, "there is no worktree of this id")) };
    let Some(offer) = &record.offer else { return Err(lost(id, "it is not on offer; somebody may have accepted it")) };
    let meant = offer.token == handover.token && record.holder.generation == handover.generation;
    if !meant || record.stage != Stage::Leased {
        return Err(lost(id, "this is not the handover that was made of it last"));
    }
    if !offer.is_valid() {
        return Err(lost(id, "the handover is too old; run a recovery to adopt it"));
    }
    Ok(record)
}
