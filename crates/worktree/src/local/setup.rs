//! What git would have run in a new worktree, for the caller to run where it may do no harm.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::base;
use super::manager::LocalWorktrees;
use crate::{Error, Result, Worktree, repo};

/// Variables that would point git in a hook somewhere else.
const UNSET: [&str; 12] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// A program that belongs to the creation of a worktree and that this crate does not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SetupStep {
    /// The program. It belongs to the repository, or lies in the tree: run it in a sandbox.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// The directory to run it in.
    pub dir: PathBuf,
    /// Variables that it must not inherit.
    pub unset: Vec<String>,
}

impl LocalWorktrees {
    /// The `post-checkout` hook as `git worktree add` would have run it, if the repository has one; nothing is run.
    ///
    /// For git, a hook that fails does not undo the worktree.
    ///
    /// # Errors
    /// When `core.hooksPath` begins with `~`, since no home directory is known here.
    pub async fn setup(&self, worktree: &Worktree) -> Result<Vec<SetupStep>> {
        let (tree, commit) = (worktree.path().to_owned(), worktree.base().clone());
        self.blocking(move |layout| {
            let repo = repo::open(&layout.common)?;
            let Some(program) = hook(&repo, &tree)? else { return Ok(Vec::new()) };
            let null = base::object_id(&commit)?.kind().null();
            let args = vec![null.to_string(), commit.to_string(), "1".to_owned()];
            Ok(vec![SetupStep { program, args, dir: tree, unset: UNSET.map(str::to_owned).to_vec() }])
        })
        .await
    }
}

fn hook(repo: &gix::Repository, tree: &Path) -> Result<Option<PathBuf>> {
    let dir = match repo.config_snapshot().string("core.hooksPath") {
        None => repo.common_dir().join("hooks"),
        Some(path) if path.starts_with(b"~") => {
            let problem = format!("core.hooksPath is {path:?}, and no home directory is known here; make it absolute");
            return Err(Error::Repository { path: repo.common_dir().to_owned(), problem });
        }
        // Relative to where hooks run: to the tree.
        Some(path) => tree.join(path.to_string()),
    };
    let program = dir.join("post-checkout");
    let runs = program.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
    Ok(runs.then_some(program))
}
