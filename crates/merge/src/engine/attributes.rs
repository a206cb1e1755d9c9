//! Attributes from the target's tree, and from nowhere else.
//!
//! git reads them from whatever is checked out, so that the same two commits merge here and conflict there. Global
//! files and `info/attributes` are left out for the same reason.

use std::collections::BTreeSet;

use gix::ObjectId;
use gix::attrs::Search;
use gix::attrs::search::MetadataCollection;
use gix::bstr::BString;
use gix::glob::pattern::Case;
use gix::worktree::Stack;
use gix::worktree::stack::State;
use gix::worktree::stack::state::Attributes;
use gix::worktree::stack::state::attributes::Source;

use super::failed;
use crate::Result;

/// The attribute files of `tree` in the given directories.
pub(super) fn of_tree(session: &gix::Repository, tree: ObjectId, directories: &BTreeSet<BString>) -> Result<Stack> {
    let root = session.find_tree(tree).map_err(failed("read the target's tree"))?;
    let mut files = Vec::new();
    for directory in directories {
        let mut path = directory.clone();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(b".gitattributes");
        let entry = root.lookup_entry(path.split(|b| *b == b'/')).map_err(failed("read the target's attributes"))?;
        if let Some(entry) = entry.filter(|entry| entry.mode().is_blob()) {
            files.push((path, entry.object_id()));
        }
    }
    // The stack finds them by bisection.
    files.sort();
    stack(session, files)
}

fn stack(session: &gix::Repository, files: Vec<(BString, ObjectId)>) -> Result<Stack> {
    let mut buf = Vec::new();
    let mut names = MetadataCollection::default();
    let built_in = Search::new_globals(std::iter::empty::<std::path::PathBuf>(), &mut buf, &mut names)
        .map_err(failed("set up attributes"))?;
    let state = State::AttributesStack(Attributes::new(built_in, None, Source::IdMapping, names));
    Ok(Stack::new(session.git_dir(), state, Case::Sensitive, buf, files))
}
