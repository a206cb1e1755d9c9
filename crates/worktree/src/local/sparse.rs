//! New worktrees are as sparse as the main checkout.

use crate::Result;
use crate::capture::fault;

/// Marks what the repository's sparse-checkout patterns leave out, as git does for its own new worktrees.
pub(super) fn leave_out(repo: &gix::Repository, index: &mut gix::index::State) -> Result<()> {
    let Some(patterns) = patterns(repo)? else { return Ok(()) };
    let cone = repo.config_snapshot().boolean("core.sparseCheckoutCone").unwrap_or(true);
    let source = repo.common_dir().join("info/sparse-checkout");
    let case = gix::glob::pattern::Case::Sensitive;
    gix::worktree::sparse::apply_patterns(index, &patterns, &source, cone, case)
        .map_err(fault::git("apply the sparse-checkout patterns"))
}

/// The patterns of the main checkout, if it is sparse.
pub(super) fn patterns(repo: &gix::Repository) -> Result<Option<Vec<u8>>> {
    if repo.config_snapshot().boolean("core.sparseCheckout") != Some(true) {
        return Ok(None);
    }
    let dir = repo.common_dir();
    gix::worktree::sparse::read_patterns(dir).map_err(fault::io("read", dir.join("info/sparse-checkout")))
}
