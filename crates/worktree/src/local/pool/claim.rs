//! Takes the slot that is nearest to a commit and makes it the tree of a new worktree.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::advance::{self, Plan, Work};
use super::diff::{Change, diff};
use super::fill::{CLOSED, Tools};
use super::mode::{self, Fresh};
use super::options::Check;
use super::reset::split;
use super::scan::Scan;
use super::shelf::{self, Held};
use super::slot::{Seal, Slot, Stage};
use crate::Result;
use crate::capture::beneath::Dir;
use crate::capture::fault;
use crate::disk;
use crate::local::record::Record;
use crate::local::{base, trash};

/// A slot that can be brought to the wanted commit.
struct Candidate {
    slot: Slot,
    changes: Vec<Change>,
}

impl Tools<'_> {
    /// Makes `record.temporary` the tree of the commit, out of the best slot; none if no slot can be used.
    pub(super) fn claim(&self, commit: ObjectId, record: &Record) -> Result<Option<(gix::index::File, Work)>> {
        let fresh = Fresh::probe(&record.temporary)?;
        for Candidate { slot, changes } in self.candidates(commit, &fresh)? {
            let Some(mut held) = shelf::take(self.layout, &slot.token)? else { continue };
            if held.slot != slot {
                continue;
            }
            match self.plan(&held, changes, &fresh) {
                Ok(Some(plan)) => {
                    if let Ok(done) = self.hand_out(held, plan, record, &fresh) {
                        return Ok(Some(done));
                    }
                    // Nothing of the slot may be in the way of the next one.
                    if disk::identity(&record.temporary) == slot.root {
                        trash::delete(&record.temporary).map_err(fault::io("delete", &record.temporary))?;
                    }
                }
                Ok(None) => {}
                Err(_) => {
                    held.slot.stage = Stage::Dirty;
                    held.slot.write(self.layout)?;
                }
            }
        }
        Ok(None)
    }

    /// The usable slots, the nearest first.
    fn candidates(&self, commit: ObjectId, fresh: &Fresh) -> Result<Vec<Candidate>> {
        let mut found: Vec<Candidate> = Vec::new();
        for slot in shelf::slots(self.layout)? {
            let kept_alike = slot.kept.as_ref().is_none_or(|kept| *kept == self.rules.digest);
            let written_alike = slot.origin.setting == self.setting && slot.mode == fresh.mode;
            if slot.stage != Stage::Ready || !written_alike || !kept_alike {
                continue;
            }
            let known = found.iter().find(|other| other.slot.commit == slot.commit);
            let changes = match known {
                Some(other) => Some(other.changes.clone()),
                // What was collected as garbage meanwhile cannot be compared.
                None => base::object_id(&slot.commit)
                    .and_then(|from| diff(self.repo, from, commit, advance::most(slot.files)))
                    .unwrap_or_default(),
            };
            found.extend(changes.filter(|changes| suits(&slot, changes)).map(|changes| Candidate { slot, changes }));
        }
        found.sort_by_key(|candidate| candidate.changes.len());
        Ok(found)
    }

    /// Looks whether the slot is what it is taken for, and works out what is to be done. None if that is too much.
    fn plan(&self, held: &Held, changes: Vec<Change>, fresh: &Fresh) -> Result<Option<Plan>> {
        let tree = held.slot.tree(self.layout);
        let root = Dir::open(&tree).map_err(fault::io("open", &tree))?;
        let stat = root.own_stat().map_err(fault::io("look at", &tree))?;
        let closed = mode::permissions(&stat) == CLOSED && fresh.owns(&root);
        if disk::identity(&tree) != held.slot.root || !closed || held.slot.seal != Some(Seal::of(&tree)?) {
            return Err(fault::strange(&tree, "somebody was at the root of the slot"));
        }
        let index = self.index(held)?;
        if self.options.check == Check::Everything {
            let scan = Scan { repo: self.repo, index: &index, fresh, rules: &self.rules, seeded: Some(&[]) };
            if !scan.run(&root)?.is_clean() {
                return Err(fault::strange(&tree, "somebody wrote into the slot"));
            }
        }
        Plan::new(self.repo, index, changes, &root, fresh)
    }

    /// Renames the tree, which takes the slot for good, and brings it to the commit.
    fn hand_out(&self, held: Held, plan: Plan, record: &Record, fresh: &Fresh) -> Result<(gix::index::File, Work)> {
        let (tree, target) = (held.slot.tree(self.layout), &record.temporary);
        disk::rename_new(&tree, target).map_err(fault::io("take", &tree))?;
        if disk::identity(target) != held.slot.root {
            // What was put there in the last moment is somebody's; without a record, its old name would have it deleted.
            held.slot.set_aside_from(target, self.layout)?;
            held.forget(self.layout)?;
            return Err(fault::strange(target, "it was exchanged in the last moment"));
        }
        held.forget(self.layout)?;
        let done = plan.carry_out(&self.writing(), target)?;
        std::fs::set_permissions(target, Permissions::from_mode(fresh.mode)).map_err(fault::io("open up", target))?;
        Ok(done)
    }
}

/// Whether a slot can take these changes: what is ignored in it must stay ignored.
fn suits(slot: &Slot, changes: &[Change]) -> bool {
    slot.kept.is_none() || !changes.iter().any(|change| split(change.path.as_bstr()).1 == b".gitignore")
}
