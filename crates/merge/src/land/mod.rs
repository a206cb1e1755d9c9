//! Landing: the one moment when a branch moves.

use std::sync::{Mutex, PoisonError};

use gix::ObjectId;

use crate::commit::{committer, one_line};
use crate::conserve::{self, Checked, Landed};
use crate::flush::Unflushed;
use crate::refs::{self, Move, RefName, Swap, reflog};
use crate::{Candidate, Checkout, Fallback, Landing, Loss, Result, graph};

pub(crate) mod checkouts;
mod detach;
mod forward;
mod git;
mod in_the_way;

use checkouts::{Hold, Holder};
use detach::Detached;
use forward::Carry;

/// See [`Repository::land`](crate::Repository::land). `checkout_lock` is held while a checkout is brought forward. The session must
/// keep objects in memory: what has to be made again to look at it is not kept.
pub(crate) fn land(
    session: &gix::Repository,
    candidate: &Candidate,
    checkout: Checkout,
    checkout_lock: &Mutex<()>,
    fallback: Option<&Fallback>,
) -> Result<Landing> {
    let new = graph::commit(session, &candidate.commit)?;
    let expected = graph::commit(session, &candidate.target.expected)?;
    if !graph::contains(session, new, expected)? {
        return Err(graph::unusable(
            new,
            format!("it does not descend from {expected}, so landing it would lose work"),
        ));
    }
    let step = Step { session, candidate, expected, new, fallback };
    if let Some(settled) = step.settled()? {
        return Ok(settled);
    }
    if let Some(losses) = step.undeclared_losses()? {
        return Ok(Landing::WouldLose { losses });
    }
    let holders = checkouts::holders(session, &candidate.target.branch)?;
    if holders.is_empty() {
        return step.swap();
    }
    let (Some(held), Some(alone)) = (Policy::of(checkout, &holders), holders.first()) else {
        return Ok(refusal(&holders));
    };
    let _alone = checkout_lock.lock().unwrap_or_else(PoisonError::into_inner);
    // Whoever had the lock before may have moved the target.
    if let Some(settled) = step.settled()? {
        return Ok(settled);
    }
    match held {
        Policy::Forward(carry) => step.swap_with(alone, carry),
        Policy::Detach => step.swap_without(&holders),
    }
}

/// What a landing does to the checkouts of its target.
enum Policy {
    Forward(Carry),
    Detach,
}

impl Policy {
    /// What is allowed and can be done.
    fn of(checkout: Checkout, holders: &[Holder]) -> Option<Self> {
        let by_head = holders.iter().all(|holder| holder.hold == Hold::Head);
        match checkout {
            Checkout::Detach if by_head => Some(Self::Detach),
            Checkout::FastForwardClean if by_head && holders.len() == 1 => Some(Self::Forward(Carry::Nothing)),
            Checkout::FastForwardCarrying if by_head && holders.len() == 1 => Some(Self::Forward(Carry::Untouched)),
            _ => None,
        }
    }
}

/// Why the landing is refused before anything was looked at.
fn refusal(holders: &[Holder]) -> Landing {
    let other = holders.iter().find(|holder| holder.hold != Hold::Head);
    match (other, holders) {
        (Some(holder), _) | (None, [holder]) => holder.refusal(""),
        (None, [holder, ..]) => holder.refusal("it is in use in several worktrees; free all but one"),
        (None, []) => Landing::TargetMoved { now: None },
    }
}

/// One attempt to land.
struct Step<'a> {
    session: &'a gix::Repository,
    candidate: &'a Candidate,
    expected: ObjectId,
    new: ObjectId,
    fallback: Option<&'a Fallback>,
}

impl Step<'_> {
    /// The answer, if the target is not where the candidate expects it.
    fn settled(&self) -> Result<Option<Landing>> {
        match refs::read(self.session, &self.target())? {
            Some(tip) if tip == self.expected && tip != self.new => Ok(None),
            tip => self.elsewhere(tip).map(Some),
        }
    }

    /// The target is at `tip`: beyond the candidate, or moved by somebody else.
    fn elsewhere(&self, tip: Option<ObjectId>) -> Result<Landing> {
        let Some(tip) = tip else { return Ok(Landing::TargetMoved { now: None }) };
        if !graph::contains(self.session, tip, self.new)? {
            return Ok(Landing::TargetMoved { now: Some(graph::public(tip)?) });
        }
        // Whoever landed it may have been killed before it was on the disk.
        refs::flush(self.session, &self.target())?;
        Ok(Landing::Landed)
    }

    /// What the candidate lacks and does not say that it drops.
    fn undeclared_losses(&self) -> Result<Option<Vec<Loss>>> {
        let change = graph::commit(self.session, &self.candidate.change)?;
        let (made, fallback) = (&self.candidate.made, self.fallback);
        let landed = Landed { expected: self.expected, commit: self.new, change, made, fallback };
        let mut losses = match conserve::check(self.session, &landed)? {
            Checked::All(losses) => losses,
            Checked::Nothing => return Ok(None),
        };
        losses.retain(|loss| !self.candidate.dropped.contains(loss));
        Ok((!losses.is_empty()).then_some(losses))
    }

    fn swap(&self) -> Result<Landing> {
        match self.swap_after(|| Ok(None))? {
            Swap::Moved => Ok(Landing::Landed),
            Swap::Elsewhere(tip) => self.elsewhere(tip),
            Swap::Refused(landing) => Ok(landing),
        }
    }

    /// Moves the target, after something else under its lock.
    fn swap_after(&self, first: impl FnOnce() -> Result<Option<Landing>>) -> Result<Swap<Landing>> {
        let who = committer(self.session, self.new)?;
        let message = self.message();
        let to = Move { expected: Some(self.expected), new: self.new, message: &message, who: &who };
        refs::swap_after(self.session, &self.target(), &to, Unflushed::default(), first)
    }

    /// Brings the checkout forward, then the target. Killed in between, the checkout has the candidate staged and
    /// nothing else; the next attempt sees that and only moves the target.
    fn swap_with(&self, holder: &Holder, carry: Carry) -> Result<Landing> {
        let forward = match forward::bring(self.session, holder, (self.expected, self.new), carry)? {
            Ok(forward) => forward,
            // A push or another process may have moved the target meanwhile; that is the better answer.
            Err(why) => return Ok(self.settled()?.unwrap_or_else(|| holder.refusal(&why))),
        };
        let landing = match self.swap_after(|| Ok(None)) {
            Ok(Swap::Moved) => {
                let who = committer(self.session, self.new)?;
                let log = holder.git_dir.join("logs").join("HEAD");
                reflog::append(&log, self.expected, self.new, &self.message(), &who)?.flush()?;
                return Ok(Landing::Landed);
            }
            Ok(Swap::Elsewhere(tip)) => self.elsewhere(tip)?,
            Ok(Swap::Refused(landing)) => landing,
            Err(error) => {
                // It may have come after the move, and then the checkout is where the branch is.
                if refs::read(self.session, &self.target())? == Some(self.expected) {
                    forward.undo();
                }
                return Err(error);
            }
        };
        // Whoever else landed the same has the same files there.
        if landing != Landing::Landed {
            forward.undo();
        }
        Ok(landing)
    }

    /// Lets go of the target in its checkouts, then moves it, all under its lock: nobody can land on a branch that looks free only
    /// because of this. Killed in between, they are detached where they were, and the next attempt finds nobody on the target.
    fn swap_without(&self, holders: &[Holder]) -> Result<Landing> {
        let who = committer(self.session, self.new)?;
        let branch = &self.candidate.target.branch;
        let mut detached = Vec::new();
        let swapped = self.swap_after(|| {
            for holder in holders {
                match Detached::at(self.session.common_dir(), holder, branch, self.expected, &who) {
                    Ok(Ok(done)) => detached.push(done),
                    other => {
                        detached.drain(..).for_each(|done| done.undo(&who));
                        return other.map(|refused| refused.err().map(|why| holder.refusal(&why)));
                    }
                }
            }
            Ok(None)
        });
        match swapped {
            Ok(Swap::Moved) => Ok(Landing::Landed),
            Ok(Swap::Elsewhere(tip)) => self.elsewhere(tip),
            Ok(Swap::Refused(landing)) => Ok(landing),
            Err(error) => {
                if refs::read(self.session, &self.target())? == Some(self.expected) {
                    detached.into_iter().for_each(|done| done.undo(&who));
                }
                Err(error)
            }
        }
    }

    fn target(&self) -> RefName {
        RefName::branch(&self.candidate.target.branch)
    }

    fn message(&self) -> String {
        one_line(&self.candidate.reflog)
    }
}
