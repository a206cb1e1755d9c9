//! What the worktree's own index says of files that its base does not tell about: which ones it tracks as well, and which
//! ones it left out of the tree.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use gix::bstr::{BStr, BString, ByteSlice};
use gix::index::entry::Flags;

use super::base::Base;
use super::beneath::Dir;
use super::index::{self, Sum};
use super::limits;
use super::tree::with_slash;

/// The index of the agent, read when it is first asked: a tree with nothing ignored in it and nothing gone from it needs none.
#[derive(Debug)]
pub(super) struct Own<'a> {
    base: &'a Base,
    git: Result<Dir, String>,
    read: OnceLock<Result<Marks, String>>,
}

/// What it has other than the base; nothing when there is no index.
#[derive(Debug, Default)]
struct Marks {
    /// Paths that the base does not have, at whatever stage.
    tracked: BTreeSet<BString>,
    /// Paths, or directories, that were left out of the tree on purpose, but not when it was made.
    left_out: Vec<BString>,
}

impl<'a> Own<'a> {
    /// The one in this git directory, or why that cannot be opened.
    pub(super) fn new(base: &'a Base, git: Result<Dir, String>) -> Self {
        Self { base, git, read: OnceLock::new() }
    }

    /// Whether it tracks this path, or something in this directory, that the base has not.
    pub(super) fn tracks(&self, path: &BStr, is_dir: bool) -> bool {
        let Ok(Marks { tracked, .. }) = self.marks() else { return false };
        let is_below =
            |dir: BString| tracked.range::<BString, _>(&dir..).next().is_some_and(|path| path.starts_with(&dir));
        !tracked.is_empty() && (tracked.contains(path) || is_dir && is_below(with_slash(path)))
    }

    /// What it left out of the tree and the base's own index did not.
    pub(super) fn left_out(&self) -> &[BString] {
        self.marks().as_ref().map_or(&[], |marks| &marks.left_out)
    }

    /// Why it could not be read, if somebody asked and it could not.
    pub(super) fn problem(&self) -> Option<&String> {
        self.read.get().and_then(|read| read.as_ref().err())
    }

    fn marks(&self) -> &Result<Marks, String> {
        self.read.get_or_init(|| self.git.as_ref().map_err(Clone::clone).and_then(|git| read(git, self.base)))
    }
}

/// Reads the index below `git`, in step with the base.
fn read(git: &Dir, base: &Base) -> Result<Marks, String> {
    let bytes = match git.read(b"index", limits::INDEX_BYTES) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Marks::default()),
        Err(e) => return Err(format!("the index {e}")),
    };
    of(&bytes, base).map_err(|why| format!("the index {why}"))
}

fn of(bytes: &[u8], base: &Base) -> Result<Marks, String> {
    let mut marks = Marks::default();
    let state = base.index().state();
    let mut expected = state.entries().iter().peekable();
    // Whoever deletes a tree reads all of the index once more and looks at the sum.
    index::entries(bytes, base.root().kind(), Sum::Ignored, &mut |entry| {
        let path = entry.path.as_bstr();
        while expected.next_if(|entry| entry.path(state) < path).is_some() {}
        let known = expected.peek().filter(|entry| entry.path(state) == path);
        if known.is_none() && !entry.is_dir() {
            marks.tracked.insert(path.to_owned());
        }
        if entry.is_left_out() && !known.is_some_and(|known| known.flags.contains(Flags::SKIP_WORKTREE)) {
            let dir = path.strip_suffix(b"/").unwrap_or(path);
            marks.left_out.push(dir.into());
        }
        Ok(())
    })?;
    Ok(marks)
}
