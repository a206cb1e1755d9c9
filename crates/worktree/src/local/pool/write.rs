//! Writes some files of an index into a tree that holds the others already.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use gix::bstr::{BString, ByteSlice};
use gix::index::entry::{Flags, Mode};
use gix::worktree::stack::state::attributes::Source;

use crate::capture::beneath::Dir;
use crate::capture::fault;
use crate::{Error, Result};

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
        // The library writes whole indexes. What is not to be written must stay in it all the same, for its attributes.
        let passed_over = pass_over(index, paths);
        let written = self.write_all(index, root);
        for at in passed_over {
            index.entries_mut()[at].flags.remove(Flags::SKIP_WORKTREE);
        }
        written?;
        submodules(index, root, paths)
    }

    fn write_all(&self, index: &mut gix::index::File, root: &Path) -> Result<()> {
        let mut options =
            self.repo.checkout_options(Source::IdMapping).map_err(fault::git("read the checkout options"))?;
        options.destination_is_initially_empty = true;
        options.thread_limit = Some(self.threads);
        options.filters.options_mut().drivers.clear();
        let objects = self.repo.objects.clone().into_arc().map_err(fault::git("open the object database"))?;
        let ignored = gix::progress::Discard;
        let done = gix::worktree::state::checkout(index, root, objects, &ignored, &ignored, self.cancelled, options)
            .map_err(fault::git("write the files that differ; an object may be missing (partial clone)"))?;
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(failed("it was cancelled".into()));
        }
        if let Some(record) = done.errors.into_iter().next() {
            return Err(Error::Git { action: format!("write {:?}", record.path), source: record.error.into() });
        }
        match done.collisions.first() {
            Some(collision) => Err(failed(format!("{:?} collides with another path", collision.path))),
            None => Ok(()),
        }
    }
}

/// Marks everything else as not to be written, and returns what has to be unmarked again.
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

/// Makes the empty directories that stand for submodules, as git does.
pub(super) fn submodules(index: &gix::index::File, root: &Path, paths: &HashSet<BString>) -> Result<()> {
    for entry in index.entries().iter().filter(|entry| entry.mode == Mode::COMMIT) {
        let path = entry.path(index);
        if entry.flags.contains(Flags::SKIP_WORKTREE) || !paths.contains(path) {
            continue;
        }
        let fail = |e: std::io::Error| fault::io("create the directory of a submodule", path.to_path_lossy())(e);
        let mut at = Dir::open(root).map_err(fail)?;
        for name in path.split(|b| *b == b'/') {
            at.make(name).map_err(fail)?;
            at = at.dir(name).map_err(fail)?;
        }
    }
    Ok(())
}

fn failed(problem: String) -> Error {
    Error::Git { action: "write the files that differ".into(), source: problem.into() }
}
