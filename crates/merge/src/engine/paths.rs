//! What a change may bring into a tree.

use gix::ObjectId;
use gix::bstr::{BStr, ByteSlice};
use gix::objs::tree::EntryKind;
use gix::validate::path::component::{Mode, Options};

use super::tree::{self, Entry};
use crate::{Result, graph};

/// Names that stand for `.git` on any file system are refused everywhere: what lands is cloned to others.
const RULES: Options = Options { protect_windows: false, protect_hfs: true, protect_ntfs: true };

/// A few small trees can name each other so often that nobody ever sees the end of their paths.
const MOST: u32 = 1_000_000;

/// Refuses entries that no checkout may hold, and more than there can be. Only what differs from the base is looked at.
pub(crate) fn check(session: &gix::Repository, base: ObjectId, theirs: ObjectId) -> Result<()> {
    each(session, base, theirs, &mut |path, now| {
        let link = (now.kind == EntryKind::Link).then_some(Mode::Symlink);
        // Directories are entries of their own, so the last name of each path covers all of them.
        match gix::validate::path::component(tree::split(path).1, link, RULES) {
            Ok(_) => Ok(()),
            Err(problem) => {
                let problem = format!("the change puts it at {:?}: {problem}", path.to_str_lossy());
                Err(graph::unusable(now.id, problem))
            }
        }
    })
}

/// Refuses trees that differ in more than there can be.
pub(crate) fn check_size(session: &gix::Repository, base: ObjectId, tree: ObjectId) -> Result<()> {
    each(session, base, tree, &mut |_, _| Ok(()))
}

fn each(
    session: &gix::Repository,
    base: ObjectId,
    theirs: ObjectId,
    show: &mut dyn FnMut(&BStr, Entry) -> Result<()>,
) -> Result<()> {
    let mut left = MOST;
    tree::brought(session, Some(base), theirs, Default::default(), &mut |path, _, now| {
        left = left.checked_sub(1).ok_or_else(|| {
            graph::unusable(theirs, format!("it differs from {base} in more than {MOST} paths; bring it in in parts"))
        })?;
        show(path, now)
    })
}
