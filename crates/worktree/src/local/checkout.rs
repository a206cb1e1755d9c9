//! Fills a private directory with the files of a commit.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use gix::ObjectId;
use gix::worktree::stack::state::attributes::Source;

use crate::capture::fault;
use crate::{Error, Result};

/// Checks the commit out into a directory that this creates, and returns the index that describes the result.
///
/// Line endings, encodings and `ident` are converted as the attributes of the commit say; filter programs are not run.
pub(super) fn into_new(
    repo: &gix::Repository,
    commit: ObjectId,
    into: &Path,
    threads: usize,
    cancelled: &AtomicBool,
) -> Result<gix::index::File> {
    std::fs::create_dir(into).map_err(fault::io("create", into))?;
    let tree = repo.find_commit(commit).map_err(fault::git(format!("read commit {commit}")))?;
    let tree = tree.tree_id().map_err(fault::git(format!("read commit {commit}")))?.detach();
    let mut index = repo.index_from_tree(&tree).map_err(fault::git(format!("read the tree of {commit}")))?;
    super::encoding::check(repo, &index)?;
    leave_out_sparse(repo, &mut index)?;

    let mut options = repo.checkout_options(Source::IdMapping).map_err(fault::git("read the checkout options"))?;
    options.destination_is_initially_empty = true;
    options.thread_limit = Some(threads);
    options.filters.options_mut().drivers.clear();
    let objects = repo.objects.clone().into_arc().map_err(fault::git("open the object database"))?;
    let ignored = gix::progress::Discard;
    let done = gix::worktree::state::checkout(&mut index, into, objects, &ignored, &ignored, cancelled, options)
        .map_err(fault::git(format!("write the files of {commit}; an object may be missing (partial clone)")))?;
    if cancelled.load(Ordering::Relaxed) {
        return Err(failed(commit, "it was cancelled".into()));
    }
    if let Some(record) = done.errors.into_iter().next() {
        return Err(Error::Git { action: format!("write {:?} of {commit}", record.path), source: record.error.into() });
    }
    if let Some(collision) = done.collisions.first() {
        return Err(failed(commit, format!("{:?} collides with another path of the commit", collision.path)));
    }
    Ok(index)
}

/// Marks what the repository's sparse-checkout patterns leave out, as git does for its own new worktrees.
pub(super) fn leave_out_sparse(repo: &gix::Repository, index: &mut gix::index::File) -> Result<()> {
    let Some(patterns) = sparse_patterns(repo)? else { return Ok(()) };
    let cone = repo.config_snapshot().boolean("core.sparseCheckoutCone").unwrap_or(true);
    let source = repo.common_dir().join("info/sparse-checkout");
    let case = gix::glob::pattern::Case::Sensitive;
    gix::worktree::sparse::apply_patterns(index, &patterns, &source, cone, case)
        .map_err(fault::git("apply the sparse-checkout patterns"))
}

/// The patterns of the main checkout, if it is sparse.
pub(super) fn sparse_patterns(repo: &gix::Repository) -> Result<Option<Vec<u8>>> {
    if repo.config_snapshot().boolean("core.sparseCheckout") != Some(true) {
        return Ok(None);
    }
    let dir = repo.common_dir();
    gix::worktree::sparse::read_patterns(dir).map_err(fault::io("read", dir.join("info/sparse-checkout")))
}

fn failed(commit: ObjectId, problem: String) -> Error {
    Error::Git { action: format!("check out {commit}"), source: problem.into() }
}
