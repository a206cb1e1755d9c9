//! The pool: what it hands out, what it does not, and what a kill leaves.

mod claim;
pub(crate) mod contention;
pub(crate) mod crash;
mod recycle;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use hedgerow_worktree::{
    Base, LocalWorktrees,
    pool::{Pool, PoolOptions, Unseen},
};

use crate::repo::Repo;

/// Options for tests, which do not depend on what else runs on the machine.
pub(crate) fn options(slots: usize) -> PoolOptions {
    let mut options = PoolOptions::new(NonZeroUsize::new(slots).unwrap());
    options.unseen = Unseen::Elsewhere;
    options
}

/// A pool of so many slots, not filled yet.
pub(crate) async fn open(repo: &Repo, slots: usize) -> Pool {
    Pool::open(repo.manager(), options(slots)).await.unwrap()
}

/// A pool of so many slots at `HEAD`.
async fn filled(repo: &Repo, slots: usize) -> Pool {
    let pool = open(repo, slots).await;
    assert_eq!(pool.refill(&Base::Head).await.unwrap().made, slots);
    pool
}

/// The trees of all slots.
pub(crate) fn slots(manager: &LocalWorktrees) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(manager.trees()) else { return Vec::new() };
    let is_slot = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with(".pool.") && !name.ends_with(".replaced")
    };
    let mut found: Vec<_> = entries.map(|entry| entry.unwrap().path()).filter(is_slot).collect();
    found.sort();
    found
}

/// Where the pool keeps its records.
fn records(repo: &Repo) -> PathBuf {
    let mut found = std::fs::read_dir(repo.path().join(".git/hedgerow/pool")).unwrap();
    found.next().unwrap().unwrap().path()
}

/// The only slot of a pool.
fn slot(pool: &Pool) -> PathBuf {
    let [slot] = <[PathBuf; 1]>::try_from(slots(pool.worktrees())).unwrap();
    slot
}

/// Everything in a tree but its `.git`: kind and mode, then content.
pub(crate) fn content(tree: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![tree.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let bytes = if meta.is_dir() {
                waiting.push(path.clone());
                Vec::new()
            } else if meta.is_symlink() {
                std::fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
            } else if meta.is_file() {
                std::fs::read(&path).unwrap()
            } else {
                Vec::new()
            };
            let relative = path.strip_prefix(tree).unwrap().to_owned();
            if relative != Path::new(".git") {
                found.insert(relative, (meta.mode(), bytes));
            }
        }
    }
    found.insert(PathBuf::new(), (tree.metadata().unwrap().mode(), Vec::new()));
    found
}

/// What git itself makes of this revision.
fn by_git(repo: &Repo, revision: &str) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let tree = repo.root().join("by-git");
    repo.git(["worktree", "add", "-q", "--detach", tree.to_str().unwrap(), revision]);
    let found = content(&tree);
    repo.git(["worktree", "remove", "--force", tree.to_str().unwrap()]);
    found
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
