//! One base from several, when histories crossed.
//!
//! The bases are merged with each other, two at a time, each pair from its own bases; conflicting lines keep their
//! markers in the virtual base, and what cannot have markers is as it was before both. A side that then equals one of
//! the bases is still seen to have changed it, so neither base wins unseen.

use std::collections::BTreeMap;

use gix::ObjectId;

use super::content::Contents;
use super::halt::Halt;
use super::{failed, trees};
use crate::graph;

/// Virtual merges in one fold. A history made to explode ends here, as a conflict; 40 bases need under a hundred.
const BUDGET: u32 = 512;
/// How deep bases of bases are followed: as often as two branches may have merged each other at the same time.
const DEPTH: u8 = 64;

pub(super) struct Fold<'c, 's> {
    contents: &'c mut Contents<'s>,
    left: u32,
    /// Crossed histories come to the same pairs on many ways.
    known: BTreeMap<(ObjectId, ObjectId, u8), ObjectId>,
}

impl<'c, 's> Fold<'c, 's> {
    pub(super) fn new(contents: &'c mut Contents<'s>) -> Self {
        Self { contents, left: BUDGET, known: BTreeMap::new() }
    }

    /// The tree to merge from.
    pub(super) fn base(&mut self, bases: &[ObjectId]) -> Result<ObjectId, Halt> {
        self.fold(bases, 1)
    }

    fn fold(&mut self, bases: &[ObjectId], depth: u8) -> Result<ObjectId, Halt> {
        let session = self.contents.session;
        let mut rest = graph::oldest_first(session, bases)?.into_iter();
        let Some(mut folded) = rest.next() else {
            let empty = session.write_object(gix::objs::Tree::empty()).map_err(failed("write an empty tree"))?;
            return Ok(empty.detach());
        };
        for next in rest {
            let pair = (folded, next, depth);
            if let Some(known) = self.known.get(&pair) {
                folded = *known;
                continue;
            }
            self.left = self.left.saturating_sub(1);
            if self.left == 0 || depth >= DEPTH {
                return Err(Halt::Crossed);
            }
            let under = graph::merge_bases(session, folded, next)?;
            let base = self.fold(&under, depth + 1)?;
            let tree = self.merge(base, folded, next, depth)?;
            folded = self.commit(tree, folded, next)?;
            self.known.insert(pair, folded);
        }
        Ok(graph::tree_of(session, folded)?)
    }

    fn merge(&mut self, base: ObjectId, one: ObjectId, other: ObjectId, depth: u8) -> Result<ObjectId, Halt> {
        let session = self.contents.session;
        let sides = [base, graph::tree_of(session, one)?, graph::tree_of(session, other)?];
        self.contents.depth = depth;
        let merged = trees::merge(self.contents, sides);
        self.contents.depth = 0;
        // A virtual base always has a tree.
        merged?.tree.ok_or(Halt::Crossed)
    }

    /// A commit that exists in memory only, so that its own merge bases can be found.
    fn commit(&self, tree: ObjectId, one: ObjectId, other: ObjectId) -> Result<ObjectId, Halt> {
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
        Ok(self.contents.session.write_object(&commit).map_err(failed("write a virtual base"))?.detach())
    }
}
