//! Writes some files of an index into a tree that holds the others already.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use gix::bstr::BString;
use gix::index::entry::Flags;

use crate::local::fill::{self, Order};
use crate::{Result, Sparse};

/// How files are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writing<'a> {
    /// The repository that they come from.
    pub(super) repo: &'a gix::Repository,
    /// How many threads write.
    pub(super) threads: usize,
    /// Set when nobody waits for the result any more.
    pub(super) cancelled: &'a AtomicBool,
}

impl Writing<'_> {
    /// Writes the files with these paths, at which nothing may be, and notes their stat data in the index.
    pub(super) fn write(&self, index: &mut gix::index::File, root: &Path, paths: &HashSet<BString>) -> Result<()> {
        if paths.is_empty() {
            return Ok(());
        }
        // What is not to be written must stay in the index all the same, for its attributes.
        let passed_over = pass_over(index, paths);
        let order = Order { donor: None, sparse: &Sparse::Inherit, threads: self.threads, cancelled: self.cancelled };
        let written = fill::into(self.repo, index, root, order);
        for at in passed_over {
            index.entries_mut()[at].flags.remove(Flags::SKIP_WORKTREE);
        }
        written
    }
}

/// Marks everything else as left out, and returns what has to be unmarked again.
fn pass_over(index: &mut gix::index::File, paths: &HashSet<BString>) -> Vec<usize> {
    let mut passed_over = Vec::new();
    let (entries, backing) = index.entries_mut_and_pathbacking();
    for (at, entry) in entries.iter_mut().enumerate() {
        if !entry.flags.contains(Flags::SKIP_WORKTREE) && !paths.contains(entry.path_in(backing)) {
            entry.flags.insert(Flags::SKIP_WORKTREE);
            passed_over.push(at);
        }
    }
    passed_over
}
