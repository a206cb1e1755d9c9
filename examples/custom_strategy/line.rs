//! The strategy.

use hedgerow_merge::{Change, MergeCommit, MergeStrategy, Prepared, Rebase, Repository, Result, Target};

/// Keeps the target's history a line where that goes by itself, and joins the change with a merge commit where it does not.
///
/// Commits of a change that do not apply one by one often merge as a whole, because a later one takes back what an earlier
/// one got in the way with. So only what neither can do is a conflict: that of the merge, which is about the change as it is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LineWhereItGoes;

impl MergeStrategy for LineWhereItGoes {
    fn prepare(&self, repository: &Repository, target: &Target, change: &Change) -> Result<Prepared> {
        match Rebase::default().prepare(repository, target, change)? {
            Prepared::Conflict(_) | Prepared::Refused(_) => MergeCommit.prepare(repository, target, change),
            other => Ok(other),
        }
    }
}
