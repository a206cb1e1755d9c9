//! One base from several, when histories crossed.
//!
//! The bases are merged with each other, two at a time, each pair from its own bases; conflicting lines keep their
//! markers in the virtual base. A side that then equals one of the bases is still seen to have changed those lines, so
//! neither base's text wins unseen. What leaves no markers (a deletion against a change, a binary file) is noted in
//! [`Fold::decided`]; there, the sides must agree.

use std::collections::{BTreeMap, BTreeSet};

use gix::ObjectId;
use gix::bstr::BString;
use gix::merge::blob::Resolution;

use super::changes::Changes;
use super::failed;
use super::trees::Workbench;
use crate::{Result, graph};

/// Virtual merges in one fold. A history made to explode ends here, as a conflict; 40 bases need under a hundred.
const BUDGET: u32 = 512;
/// How deep bases of bases are followed: as often as two branches may have merged each other at the same time.
const DEPTH: u8 = 64;

pub(super) struct Fold<'b, 's> {
    bench: &'b Workbench<'s>,
    left: u32,
    decided: BTreeSet<BString>,
    /// Crossed histories come to the same pairs on many ways.
    known: BTreeMap<(ObjectId, ObjectId, u8), ObjectId>,
}

impl<'b, 's> Fold<'b, 's> {
    pub(super) fn new(bench: &'b Workbench<'s>) -> Self {
        Self { bench, left: BUDGET, decided: BTreeSet::new(), known: BTreeMap::new() }
    }

    /// The tree to merge from, or `None` when the histories cross more often than is sensible to follow.
    pub(super) fn base(&mut self, bases: &[ObjectId]) -> Result<Option<ObjectId>> {
        self.fold(bases, 1)
    }

    /// Paths for which the virtual base is an arbitrary choice.
    pub(super) fn decided(&self) -> &BTreeSet<BString> {
        &self.decided
    }

    fn fold(&mut self, bases: &[ObjectId], depth: u8) -> Result<Option<ObjectId>> {
        let session = self.bench.session;
        // The oldest first, as git does.
        let mut rest = bases.iter().rev().copied();
        let Some(mut folded) = rest.next() else {
            let empty = session.write_object(gix::objs::Tree::empty()).map_err(failed("write an empty tree"))?;
            return Ok(Some(empty.detach()));
        };
        for next in rest {
            let pair = (folded, next, depth);
            if let Some(known) = self.known.get(&pair) {
                folded = *known;
                continue;
            }
            self.left = self.left.saturating_sub(1);
            if self.left == 0 || depth >= DEPTH {
                return Ok(None);
            }
            let under = graph::merge_bases(session, folded, next)?;
            let Some(base) = self.fold(&under, depth + 1)? else { return Ok(None) };
            let tree = self.merge(base, folded, next, depth)?;
            folded = self.commit(tree, folded, next)?;
            self.known.insert(pair, folded);
        }
        graph::tree_of(session, folded).map(Some)
    }

    fn merge(&mut self, base: ObjectId, one: ObjectId, other: ObjectId, depth: u8) -> Result<ObjectId> {
        let session = self.bench.session;
        let (one, other) = (graph::tree_of(session, one)?, graph::tree_of(session, other)?);
        let (we, they) = (Changes::between(session, base, one)?, Changes::between(session, base, other)?);
        let merged = self.bench.merge(base, (one, &we), (other, &they), depth)?;
        for conflict in merged.unresolved {
            let has_markers = conflict.content_merge().is_some_and(|merge| merge.resolution == Resolution::Conflict);
            if conflict.resolution.is_err() || !has_markers {
                for change in [&conflict.ours, &conflict.theirs] {
                    self.decided.insert(change.location().to_owned());
                    self.decided.insert(change.source_location().to_owned());
                }
            }
        }
        Ok(merged.tree)
    }

    /// A commit that exists in memory only, so that its own merge bases can be found.
    fn commit(&self, tree: ObjectId, one: ObjectId, other: ObjectId) -> Result<ObjectId> {
        let who = gix::actor::Signature::default();
        let commit = gix::objs::Commit {
            tree,
            parents: [one, other].into_iter().collect(),
            author: who.clone(),
            committer: who,
            encoding: None,
            message: Default::default(),
            extra_headers: Vec::new(),
        };
        Ok(self.bench.session.write_object(&commit).map_err(failed("write a virtual base"))?.detach())
    }
}
