//! What the checks have in common.

use std::path::Path;
use std::sync::Arc;

use crate::{
    Base, BranchName, Capture, CommitId, Disposition, Entry, Error, GitAccess, Message, Owner, Recovery, Released,
    Request, Rescue, State, Worktree, WorktreeId, WorktreeManager,
};

/// The manager that is checked.
#[derive(Clone, Debug)]
pub(super) struct Bench {
    pub(super) manager: Arc<dyn WorktreeManager>,
    pub(super) git: GitAccess,
}

pub(super) type Told<T> = Result<T, String>;

/// Ends a check with what was found, unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($found:tt)+) => {
        if !$condition {
            return Err(format!($($found)+));
        }
    };
}
pub(super) use ensure;

/// An error as what was found.
pub(super) fn told<T>(what: &str, result: crate::Result<T>) -> Told<T> {
    result.map_err(|e| format!("{what} failed: {}", crate::capture::fault::with_causes(&e)))
}

pub(super) fn id(name: &str) -> WorktreeId {
    WorktreeId::new(name).expect("the checks use valid names")
}

pub(super) fn branch(name: &str) -> BranchName {
    BranchName::new(name).expect("the checks use valid names")
}

pub(super) fn message() -> Message {
    Message { text: "Do the work".into(), name: "Conformance".into(), email: "conformance@example.com".into() }
}

/// Whether this is how a lost race or a taken name is told.
pub(super) fn is_occupied<T>(result: &crate::Result<T>) -> bool {
    matches!(result, Err(Error::Occupied { .. }))
}

impl Bench {
    /// A request for a worktree on a new branch of this name.
    pub(super) fn request(&self, name: &str, branch_name: &str) -> Request {
        Request { git: self.git, ..Request::new(id(name), branch(branch_name), Base::Head) }
    }

    /// A worktree on a new branch of its own name.
    pub(super) async fn create(&self, name: &str) -> Told<Worktree> {
        told("creating a worktree", self.manager.create(self.request(name, name)).await)
    }

    /// A worktree of a commit, in which nobody works.
    pub(super) async fn look(&self, name: &str, commit: &CommitId) -> Told<Worktree> {
        let request = Request { git: self.git, ..Request::detached(id(name), commit.clone()) };
        told("creating a worktree of a captured or rescued commit", self.manager.create(request).await)
    }

    pub(super) async fn capture(&self, worktree: &Worktree) -> Told<Capture> {
        told("a capture", self.manager.capture(worktree, message()).await)
    }

    pub(super) async fn release(&self, worktree: Worktree, disposition: Disposition) -> Told<Released> {
        told("a release", self.manager.release(worktree, disposition).await)
    }

    /// Whether one of these rescues has this file. What a rescue commit looks like is the manager's own affair.
    pub(super) async fn holds(&self, rescues: &[Rescue], path: &str) -> Told<bool> {
        for (n, rescue) in rescues.iter().enumerate() {
            let look = self.look(&format!("look-{n}"), &rescue.commit).await?;
            if read(look.path(), path).is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) async fn recover(&self) -> Told<Recovery> {
        told("a recovery", self.manager.recover().await)
    }

    pub(super) async fn rescues(&self, name: &str) -> Told<Vec<Rescue>> {
        told("asking for rescues", self.manager.rescues(&id(name)).await)
    }

    /// What the list says about this worktree.
    pub(super) async fn entry(&self, name: &str) -> Told<Option<(Entry, State)>> {
        let entries = told("a list", self.manager.list().await)?;
        Ok(entries.into_iter().find_map(|entry| match &entry.owner {
            Owner::Hedgerow { id, state } if id.as_str() == name => {
                let state = *state;
                Some((entry, state))
            }
            _ => None,
        }))
    }

    /// How many worktrees this manager lists as its own.
    pub(super) async fn count(&self) -> Told<usize> {
        let entries = told("a list", self.manager.list().await)?;
        Ok(entries.iter().filter(|entry| matches!(entry.owner, Owner::Hedgerow { .. })).count())
    }
}

/// Writes a file of a tree, and the directories above it.
pub(super) fn write(tree: &Path, path: &str, content: &str) -> Told<()> {
    let path = tree.join(path);
    let written = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&path, content));
    written.map_err(|e| format!("{path:?} could not be written: {e}"))
}

/// What a file of a tree holds; none when it is not there.
pub(super) fn read(tree: &Path, path: &str) -> Option<String> {
    std::fs::read_to_string(tree.join(path)).ok()
}

pub(super) fn remove(tree: &Path, path: &str) -> Told<()> {
    std::fs::remove_file(tree.join(path)).map_err(|e| format!("{path:?} could not be removed: {e}"))
}
