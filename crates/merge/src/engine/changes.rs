//! What one side changed, without looking for renames.

use std::collections::{BTreeMap, BTreeSet};

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice};
use gix::diff::tree::recorder::Change;
use gix::objs::FindExt;
use gix::objs::tree::EntryMode;

use super::failed;
use crate::Result;

/// The paths that differ between a base and one side.
#[derive(Default)]
pub(super) struct Changes {
    /// Files that only the side has.
    pub(super) added: BTreeSet<BString>,
    /// Files that only the base has, with their objects.
    pub(super) deleted: BTreeMap<BString, ObjectId>,
    /// Files that both have, with different content or mode.
    pub(super) modified: BTreeSet<BString>,
    /// Directories of which the side has nothing left.
    pub(super) gone: BTreeSet<BString>,
    /// Every entry that the side brings, directories too, as path, mode and id.
    pub(super) brought: Vec<(BString, EntryMode, ObjectId)>,
}

impl Changes {
    /// Compares two trees.
    pub(super) fn between(session: &gix::Repository, base: ObjectId, side: ObjectId) -> Result<Self> {
        let mut changes = Self::default();
        if base == side {
            return Ok(changes);
        }
        let (mut base_buf, mut side_buf) = (Vec::new(), Vec::new());
        let base = session.find_tree_iter(&base, &mut base_buf).map_err(failed("read the base's tree"))?;
        let side = session.find_tree_iter(&side, &mut side_buf).map_err(failed("read a side's tree"))?;
        let mut recorder = gix::diff::tree::Recorder::default();
        gix::diff::tree(base, side, gix::diff::tree::State::default(), session, &mut recorder)
            .map_err(failed("compare trees"))?;
        for record in recorder.records {
            changes.record(record);
        }
        Ok(changes)
    }

    fn record(&mut self, change: Change) {
        match change {
            Change::Addition { entry_mode, oid, path, .. } => {
                self.brought.push((path.clone(), entry_mode, oid));
                if entry_mode.is_no_tree() {
                    self.added.insert(path);
                }
            }
            Change::Deletion { entry_mode, oid, path, .. } => {
                if entry_mode.is_no_tree() {
                    self.deleted.insert(path, oid);
                } else {
                    self.gone.insert(path);
                }
            }
            Change::Modification { previous_entry_mode, previous_oid, entry_mode, oid, path, .. } => {
                self.brought.push((path.clone(), entry_mode, oid));
                match (previous_entry_mode.is_no_tree(), entry_mode.is_no_tree()) {
                    (true, true) => _ = self.modified.insert(path),
                    (true, false) => _ = self.deleted.insert(path, previous_oid),
                    (false, true) => _ = self.added.insert(path),
                    (false, false) => {}
                }
            }
        }
    }

    /// Whether a file at `path` was added, deleted or modified.
    pub(super) fn touched(&self, path: &BString) -> bool {
        self.modified.contains(path) || self.deleted.contains_key(path) || self.added.contains(path)
    }

    /// The directories in which files differ, and all above them; the root is the empty path.
    pub(super) fn directories(&self, into: &mut BTreeSet<BString>) {
        for path in self.added.iter().chain(self.deleted.keys()).chain(&self.modified) {
            for directory in above(path.as_bstr()) {
                // What is above a known directory is known too.
                if !into.insert(directory.to_owned()) {
                    break;
                }
            }
        }
    }
}

/// The directories above a path, nearest first, down to the root as the empty path.
pub(super) fn above(path: &BStr) -> impl Iterator<Item = &BStr> {
    let parent = |path: &BStr| path.rfind_byte(b'/').map_or(0, |slash| slash);
    let mut rest = (!path.is_empty()).then(|| path[..parent(path)].as_bstr());
    std::iter::from_fn(move || {
        let current = rest?;
        rest = (!current.is_empty()).then(|| current[..parent(current)].as_bstr());
        Some(current)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn above_ends_at_the_root() {
        let all = |path: &'static str| above(path.into()).map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(all("a/b/c"), ["a/b", "a", ""]);
        assert_eq!(all("a"), [""]);
        assert!(all("").is_empty());
    }
}
