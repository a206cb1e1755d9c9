//! Brings every slot to the wanted commit, proven, and makes the missing ones.

use gix::ObjectId;

use super::advance::{self, Plan};
use super::diff::diff;
use super::fill::Tools;
use super::outcome::{Cleared, Refilled};
use super::shelf::{self, Held};
use super::slot::Stage;
use super::sweep;
use crate::capture::beneath::Dir;
use crate::capture::fault;
use crate::disk;
use crate::local::base;
use crate::{Error, Result};

/// What became of one slot.
enum Brought {
    Kept,
    Moved,
    Recycled,
}

impl Tools<'_> {
    /// Goes over all slots that nobody has, then fills as many as are missing. `pause` is called before each.
    pub(super) fn refill(&self, commit: ObjectId, pause: &dyn Fn() -> Turn) -> Result<Refilled> {
        let dropped = sweep::sweep(self.layout)?.into_iter().map(Into::into).collect();
        let mut done = Refilled { dropped, ..Refilled::default() };
        let most = self.options.slots.get();
        let mut ready = 0;
        for token in shelf::whole(self.layout)? {
            let _turn = pause();
            if self.is_cancelled() {
                return Ok(done);
            }
            let Some(mut held) = shelf::take(self.layout, &token)? else { continue };
            let brought = if ready < most {
                self.bring(&mut held, commit).map_err(|e| in_words(&e))
            } else {
                Err("there are more slots than asked for".to_owned())
            };
            match brought {
                Ok(brought) => {
                    ready += 1;
                    *match brought {
                        Brought::Kept => &mut done.kept,
                        Brought::Moved => &mut done.moved,
                        Brought::Recycled => &mut done.recycled,
                    } += 1;
                }
                Err(_) if self.is_cancelled() => return Ok(done),
                Err(why) => {
                    let commit = Some(held.slot.commit.clone());
                    done.dropped.push(Cleared { commit, why, deleted: held.delete(self.layout) }.into());
                }
            }
        }
        self.make_missing(commit, pause, &mut done)?;
        Ok(done)
    }

    fn make_missing(&self, commit: ObjectId, pause: &dyn Fn() -> Turn, done: &mut Refilled) -> Result<()> {
        let (most, at, origin) = (self.options.slots.get(), base::commit_id(commit), self.origin());
        disk::top_dir(&self.layout.trees)?;
        while !self.is_cancelled() {
            let _turn = pause();
            let Some(mut held) = shelf::reserve(self.layout, most, &at, &origin, Stage::Partial)? else { break };
            match self.fill(&mut held, commit) {
                Ok(()) => done.made += 1,
                Err(e) => {
                    held.delete(self.layout)?;
                    return if self.is_cancelled() { Ok(()) } else { Err(e) };
                }
            }
        }
        Ok(())
    }

    /// Proves a slot and brings it to the commit; an error means that it has to go.
    fn bring(&self, held: &mut Held, commit: ObjectId) -> Result<Brought> {
        let tree = held.slot.tree(self.layout);
        if held.slot.origin.setting != self.setting {
            return Err(fault::strange(&tree, "the settings that say how files are written have changed"));
        }
        let was_dirty = held.slot.stage == Stage::Dirty;
        self.prove(held)?;
        let from = base::object_id(&held.slot.commit)?;
        if from == commit {
            return Ok(if was_dirty { Brought::Recycled } else { Brought::Kept });
        }
        let far = || fault::strange(&tree, "its commit is too far from the wanted one");
        let changes = diff(self.repo, from, commit, advance::most(held.slot.files))?.ok_or_else(far)?;
        let plan = {
            let root = Dir::open(&tree).map_err(fault::io("open", &tree))?;
            let fresh = self.fresh(&held.slot.token)?;
            Plan::new(self.repo, self.index(held)?, changes, &root, &fresh)?.ok_or_else(far)?
        };
        // Killed on the way, it is brought back to the commit that it is leaving.
        held.slot.stage = Stage::Dirty;
        held.slot.write(self.layout)?;
        let (index, _) = plan.carry_out(&self.writing(), &tree)?;
        self.describe(held, commit, &index)?;
        match held.slot.kept {
            None => self.seal(held)?,
            // What the new commit does not ignore any more must go.
            Some(_) => self.prove(held)?,
        }
        Ok(if was_dirty { Brought::Recycled } else { Brought::Moved })
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// The right to keep the processor busy.
pub(super) type Turn = Option<tokio::sync::OwnedSemaphorePermit>;

/// Why a slot has to go. Which one that was need not be said.
fn in_words(error: &Error) -> String {
    match error {
        Error::Repository { problem, .. } => problem.clone(),
        other => fault::with_causes(other),
    }
}
