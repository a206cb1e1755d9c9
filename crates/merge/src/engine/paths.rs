//! What a change may bring into a tree.

use gix::ObjectId;
use gix::bstr::ByteSlice;
use gix::objs::tree::EntryKind;
use gix::validate::path::component::{Mode, Options};

use super::tree;
use crate::{Result, graph};

/// Names that stand for `.git` on any file system are refused everywhere: what lands is cloned to others.
const RULES: Options = Options { protect_windows: false, protect_hfs: true, protect_ntfs: true };

/// Refuses entries that no checkout may hold. Only what differs from the base is looked at.
pub(super) fn check(session: &gix::Repository, base: ObjectId, theirs: ObjectId) -> Result<()> {
    tree::brought(session, Some(base), theirs, Default::default(), &mut |path, _, now| {
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
