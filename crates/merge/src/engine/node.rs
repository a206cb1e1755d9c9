//! What is known of one path of a merge.

use std::collections::BTreeMap;

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice};

use super::tree::{Entry, Group};
use crate::ConflictKind;

/// Index of the base in every array of three.
pub(super) const BASE: usize = 0;
/// Index of our side.
pub(super) const OURS: usize = 1;
/// Index of their side.
pub(super) const THEIRS: usize = 2;

/// All paths that may end differently from how our side has them.
pub(super) type Paths = BTreeMap<BString, Node>;

/// A set of the three versions, as bits.
pub(super) type Mask = u8;

/// The bit of a version.
pub(super) const fn bit(version: usize) -> Mask {
    1 << version
}

/// All three.
pub(super) const ALL: Mask = 7;

/// One path.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// The files, links and submodules at the path; renames move them.
    pub(super) stages: [Option<Entry>; 3],
    /// The names that they had, where a rename moved them.
    pub(super) names: [Option<BString>; 3],
    /// The directories at the path.
    pub(super) trees: [Option<ObjectId>; 3],
    /// Which versions had the same when the trees were read.
    pub(super) matching: Mask,
    /// What a side has here, where its version in `stages` was merged with one that the other has at the old name.
    pub(super) unmerged: [Option<Entry>; 3],
    /// How renames made two files meet here that have nothing in common.
    pub(super) collision: Option<ConflictKind>,
    /// Whether a rename decided that the path conflicts.
    pub(super) disputed: bool,
    /// What the path comes to, once it is known without merging.
    pub(super) settled: Option<Option<Entry>>,
}

impl Node {
    pub(super) fn new(group: &Group) -> Self {
        let [base, ours, theirs] = group.entries;
        let ours_is_base = base.is_some() && base == ours;
        let theirs_is_base = base.is_some() && base == theirs;
        let matching = match (ours_is_base, theirs_is_base) {
            (true, true) => ALL,
            (true, false) => bit(BASE) | bit(OURS),
            (false, true) => bit(BASE) | bit(THEIRS),
            (false, false) if ours.is_some() && ours == theirs => bit(OURS) | bit(THEIRS),
            (false, false) => 0,
        };
        Self {
            stages: group.entries.map(|entry| entry.filter(|entry| !entry.is_tree())),
            names: [None, None, None],
            trees: group.entries.map(|entry| entry.filter(Entry::is_tree).map(|entry| entry.id)),
            matching,
            unmerged: [None; 3],
            collision: None,
            disputed: false,
            settled: None,
        }
    }

    /// Which versions have a file here.
    pub(super) fn files(&self) -> Mask {
        mask(&self.stages)
    }

    /// What the three have here, as it is in their commits.
    pub(super) fn versions(&self) -> [Option<Entry>; 3] {
        std::array::from_fn(|version| self.unmerged[version].or(self.stages[version]))
    }

    /// The names that the three versions have, of which `path` is the one that they come to.
    pub(super) fn names<'n>(&'n self, path: &'n BString) -> [&'n BStr; 3] {
        self.names.each_ref().map(|name| name.as_ref().unwrap_or(path).as_bstr())
    }

    /// Which versions have a directory here.
    pub(super) fn directories(&self) -> Mask {
        mask(&self.trees)
    }
}

fn mask<T>(versions: &[Option<T>; 3]) -> Mask {
    versions.iter().enumerate().filter(|(_, version)| version.is_some()).map(|(n, _)| bit(n)).sum()
}
