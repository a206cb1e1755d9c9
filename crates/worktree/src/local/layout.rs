//! Where everything lies.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::lock::{Gate, Turn};
use crate::{HiddenRepositories, Result, WorktreeId};

/// The paths of one repository.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// The repository's common directory.
    pub(super) common: PathBuf,
    /// The main checkout, unless the repository is bare.
    pub(super) main: Option<PathBuf>,
    /// What of the common directory is ours.
    pub(super) state: PathBuf,
    /// The directory of the trees.
    pub(super) trees: PathBuf,
    /// What holders of leases are called.
    pub(super) owner: Arc<str>,
    /// Set when something was put into the trash.
    pub(super) left: Arc<AtomicBool>,
    /// git's own program, for what nothing else can do.
    pub(super) git: Option<PathBuf>,
    /// What becomes of repositories in ignored directories.
    pub(super) hidden: HiddenRepositories,
    /// How many threads share the work on one tree.
    pub(super) threads: usize,
    /// Where threads wait for the lock.
    pub(super) gate: Arc<Gate>,
}

impl Layout {
    /// The lock under which worktrees appear and disappear; it is held for milliseconds and never deleted.
    pub(super) fn lock(&self) -> PathBuf {
        self.state.join("lock")
    }

    /// Waits for that lock.
    pub(super) fn turn(&self) -> Result<Turn> {
        Turn::wait(&self.gate, &self.lock())
    }

    /// The number of the last lease.
    pub(super) fn generation(&self) -> PathBuf {
        self.state.join("generation")
    }

    /// Held by whoever deletes from the trash, so that only one does.
    pub(super) fn purge(&self) -> PathBuf {
        self.state.join("purge")
    }

    /// The records, lease files and saved indexes.
    pub(super) fn records(&self) -> PathBuf {
        self.state.join("worktrees")
    }

    pub(super) fn record(&self, id: &WorktreeId) -> PathBuf {
        self.records().join(format!("{id}.json"))
    }

    pub(super) fn lease(&self, id: &WorktreeId) -> PathBuf {
        self.records().join(format!("{id}.lease"))
    }

    /// A copy of the index as it was at creation, which nothing inside of the worktree can reach.
    pub(super) fn index(&self, id: &WorktreeId) -> PathBuf {
        self.records().join(format!("{id}.index"))
    }

    /// Admin directories that are being made, invisible to git.
    pub(super) fn staging(&self) -> PathBuf {
        self.state.join("staging")
    }

    /// The records of what has left, and admin directories on their way out.
    pub(super) fn trash(&self) -> PathBuf {
        self.state.join("trash")
    }

    /// The record of a worktree that has left, by the name of its admin directory.
    pub(super) fn leaving(&self, admin: &str) -> PathBuf {
        self.trash().join(format!("{admin}.json"))
    }

    /// What says that it is leaving, beside its record.
    pub(super) fn departure(&self, admin: &str) -> PathBuf {
        self.trash().join(format!("{admin}.left"))
    }

    /// The worktree to which something in the trash belongs, by the name of its admin directory.
    pub(super) fn whose(name: &str) -> &str {
        [".json", ".view", ".index", ".left"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name)
    }

    /// Its saved index.
    pub(super) fn leaving_index(&self, admin: &str) -> PathBuf {
        self.trash().join(format!("{admin}.index"))
    }

    /// Its private git directory, if it had one.
    pub(super) fn leaving_view(&self, admin: &str) -> PathBuf {
        self.trash().join(format!("{admin}.view"))
    }

    /// git's own directory of admin directories.
    pub(super) fn admins(&self) -> PathBuf {
        self.common.join("worktrees")
    }

    /// Where the tree of this id belongs.
    pub(super) fn tree(&self, id: &WorktreeId) -> PathBuf {
        self.trees.join(id.as_str())
    }

    /// A hidden sibling of the tree, on the same file system by construction.
    pub(super) fn beside(&self, id: &WorktreeId, token: &str, suffix: &str) -> PathBuf {
        self.trees.join(format!(".{id}.{token}.{suffix}"))
    }
}

/// Where the trees of a repository go unless the caller says otherwise: beside it, so that no tool that walks the main
/// checkout walks into them.
pub(super) fn default_trees(common: &Path, main: Option<&Path>) -> PathBuf {
    let mut path = main.unwrap_or(common).as_os_str().to_owned();
    path.push(".worktrees");
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_lie_beside_the_repository() {
        let main = default_trees(Path::new("/a/shop/.git"), Some(Path::new("/a/shop")));
        assert_eq!(main, Path::new("/a/shop.worktrees"));
        let bare = default_trees(Path::new("/a/shop.git"), None);
        assert_eq!(bare, Path::new("/a/shop.git.worktrees"));
    }
}
