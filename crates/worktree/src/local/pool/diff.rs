//! The paths in which two commits differ, found in a time that depends on their number.

use gix::ObjectId;

use crate::Result;
use crate::capture::differ::{self, Unknown};
use crate::capture::fault;

pub(super) use crate::capture::differ::{Change, Item};

/// The differences; none if there are more than `most`.
pub(super) fn diff(
    repo: &gix::Repository,
    before: ObjectId,
    after: ObjectId,
    most: usize,
) -> Result<Option<Vec<Change>>> {
    let tree = |commit: ObjectId| {
        let fail = || fault::git(format!("read commit {commit}"));
        Ok(repo.find_commit(commit).map_err(fail())?.tree_id().map_err(fail())?.detach())
    };
    match differ::between(repo, Some(tree(before)?), Some(tree(after)?), most) {
        Ok(found) => Ok(Some(found)),
        Err(Unknown::TooMuch) => Ok(None),
        Err(Unknown::Unreadable(why)) => Err(fault::git(format!("compare {before} with {after}"))(why)),
    }
}
