//! What conflicts, as it is found.

use std::collections::BTreeSet;

use gix::bstr::{BStr, BString, ByteSlice};
use gix::objs::tree::EntryMode;

use super::node::Node;
use super::tree::Entry;
use crate::conflict::Found;
use crate::{ConflictKind, RepoPath};

/// The conflicts of one merge, while it goes on.
#[derive(Debug, Default)]
pub(super) struct Report {
    found: Vec<Found>,
    /// Paths that a conflict was reported for, at this or another path.
    covered: BTreeSet<BString>,
}

impl Report {
    /// A conflict of versions that each have a name of their own.
    pub(super) fn add(&mut self, path: &BString, kind: ConflictKind, versions: [Option<Entry>; 3], names: [&BStr; 3]) {
        self.covered.insert(path.clone());
        let public = |version: usize| versions[version].map(|entry| public(names[version], &entry));
        let [base, ours, theirs] = [public(0), public(1), public(2)];
        self.found.push(Found { path: path.clone(), kind, base, ours, theirs });
    }

    /// A conflict of what a path has.
    pub(super) fn at(&mut self, path: &BString, kind: ConflictKind, node: &Node) {
        self.add(path, kind, node.versions(), node.names(path));
    }

    /// Says that a conflict that was reported elsewhere is about this path too.
    pub(super) fn cover(&mut self, path: &BString) {
        self.covered.insert(path.clone());
    }

    /// A path that conflicts because of a rename, if that was not reported.
    pub(super) fn disputed(&mut self, path: &BString, node: &Node) {
        if node.disputed && !self.covered.contains(path) {
            self.at(path, ConflictKind::Other, node);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(super) fn into_found(self) -> Vec<Found> {
        self.found
    }
}

/// An entry as public data.
pub(super) fn public(path: &BStr, entry: &Entry) -> crate::Entry {
    let mode = EntryMode::from(entry.kind).value().into();
    crate::Entry { path: RepoPath::new(path.as_bytes()), mode, id: entry.id.to_string() }
}
