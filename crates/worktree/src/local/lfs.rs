//! Fetches the files that Git LFS stores elsewhere, before anybody works in the tree.

use super::git::Git;
use super::layout::Layout;
use super::record::Record;
use crate::{Error, Result};

/// Refuses, before anything is made, where git has no `lfs`.
pub(super) fn check(layout: &Layout, git: Git<'_>) -> Result<()> {
    if git.run(&layout.common, &[], &["lfs", "version"])?.success {
        return Ok(());
    }
    let problem =
        "it has no `git lfs`, so files cannot be fetched; install Git LFS beside it, or take the pointers".into();
    Err(Error::Program { program: git.program.to_owned(), problem })
}

/// Replaces the pointers in a tree by what they stand for.
pub(super) fn fetch(layout: &Layout, record: &Record, git: Git<'_>) -> Result<()> {
    let git_dir = format!("--git-dir={}", record.admin_dir(layout).display());
    let work_tree = format!("--work-tree={}", record.parts.path.display());
    git.must(&record.parts.path, &[], &[&git_dir, &work_tree, "lfs", "pull"])
}
