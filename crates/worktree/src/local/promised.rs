//! Objects that a partial clone has not fetched.

use gix::index::entry::{Flags, Mode};

use crate::{Error, Result};

/// Refuses a commit of a partial clone of which files are missing that the tree needs: nothing is fetched here.
pub(super) fn check(repo: &gix::Repository, commit: gix::ObjectId, index: &gix::index::State) -> Result<()> {
    let config = repo.config_snapshot();
    let mut remotes = config.plumbing().sections_by_name("remote").into_iter().flatten();
    if config.string("extensions.partialClone").is_none()
        && !remotes.any(|section| section.contains_value_name("promisor"))
    {
        return Ok(());
    }
    let entries = index.entries().iter();
    let needed = entries.filter(|entry| !entry.flags.contains(Flags::SKIP_WORKTREE) && entry.mode != Mode::COMMIT);
    let mut missing = needed.filter(|entry| !repo.has_object(entry.id));
    let Some(first) = missing.next() else { return Ok(()) };
    let problem = format!(
        "this is a partial clone that lacks {} files of the commit, {:?} among them, and nothing is fetched here; fetch \
         them first, for example with `git backfill` (from git 2.49 on), `git fetch --refetch --no-filter`, or by \
         checking the commit out in the main checkout",
        missing.count() + 1,
        first.path(index)
    );
    Err(Error::Base { revision: commit.to_string(), problem })
}
