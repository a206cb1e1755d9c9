//! A manager without git, for the tests of programs that embed this crate.

mod history;
mod state;
mod tree;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::{
    Base, BranchName, Capture, CommitId, Disposition, Entry, Error, Message, Recovery, Released, Request, Rescue,
    Result, SafetyReport, Worktree, WorktreeId, WorktreeManager,
};
use state::State;
use tree::Node;

/// Worktrees that are real directories, of a repository that exists in memory only.
///
/// Agents can read and write in the trees, and what they leave is captured, rescued and recovered by the rules of
/// [`WorktreeManager`], which its conformance suite holds it to. There is no git in the trees, so nobody can commit in
/// them, and no main checkout, so [`Request::seed`] has nothing to copy; of `.gitignore` it understands names and `*`.
/// Ids of commits depend on their content alone, so that a test sees the same ones every time.
///
/// Clones share one repository. The directories are deleted with the last clone.
#[derive(Clone, Debug)]
pub struct FakeWorktrees {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    failures: VecDeque<(Method, Error)>,
    _dir: tempfile::TempDir,
}

/// A method of [`WorktreeManager`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// [`create`](WorktreeManager::create).
    Create,
    /// [`capture`](WorktreeManager::capture).
    Capture,
    /// [`release`](WorktreeManager::release); the handle is gone all the same, so that the worktree is an orphan.
    Release,
    /// [`list`](WorktreeManager::list).
    List,
    /// [`recover`](WorktreeManager::recover).
    Recover,
    /// [`inspect`](WorktreeManager::inspect).
    Inspect,
    /// [`restore`](WorktreeManager::restore).
    Restore,
    /// [`rescues`](WorktreeManager::rescues).
    Rescues,
}

impl FakeWorktrees {
    /// A repository with one commit of these files on its branch `main`; each is a path and a content.
    ///
    /// # Panics
    /// When no temporary directory can be made.
    pub fn new<P: Into<PathBuf>, C: Into<Vec<u8>>>(files: impl IntoIterator<Item = (P, C)>) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let root = dir.path().canonicalize().expect("a temporary directory can be entered");
        let node = |content: C| Node::File { content: content.into(), executable: false };
        let tree = files.into_iter().map(|(path, content)| (path.into(), node(content))).collect();
        let inner = Inner { state: State::new(tree, root), failures: VecDeque::new(), _dir: dir };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    /// Makes the next call of this method fail with this error, before it does anything.
    ///
    /// Several failures of one method come in their order, one for each call.
    pub fn fail_next(&self, method: Method, error: Error) {
        self.lock().failures.push_back((method, error));
    }

    /// Leases a worktree that was kept, or whose handle was dropped.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] when there is none of this id, or somebody holds it.
    pub fn adopt(&self, id: &WorktreeId) -> Result<Worktree> {
        self.lock().state.adopt(id)
    }

    /// The commit that a branch names.
    pub fn branch(&self, name: &BranchName) -> Option<CommitId> {
        self.lock().state.history.branches.get(name).cloned()
    }

    /// What a file holds in a commit.
    pub fn file(&self, commit: &CommitId, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        self.lock().state.history.file(commit, path.as_ref()).map(<[u8]>::to_vec)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A test that panicked says what is wrong; the others go on.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, unless this method shall fail.
    fn begin(&self, method: Method) -> Result<MutexGuard<'_, Inner>> {
        let mut inner = self.lock();
        let planned = inner.failures.iter().position(|(of, _)| *of == method);
        match planned.and_then(|at| inner.failures.remove(at)) {
            Some((_, error)) => Err(error),
            None => Ok(inner),
        }
    }
}

#[async_trait]
impl WorktreeManager for FakeWorktrees {
    async fn create(&self, request: Request) -> Result<Worktree> {
        self.begin(Method::Create)?.state.create(&request)
    }

    async fn capture(&self, worktree: &Worktree, message: Message) -> Result<Capture> {
        self.begin(Method::Capture)?.state.capture(worktree, &message.text)
    }

    async fn release(&self, worktree: Worktree, disposition: Disposition) -> Result<Released> {
        self.begin(Method::Release)?.state.release(&worktree, &disposition)
    }

    async fn list(&self) -> Result<Vec<Entry>> {
        Ok(self.begin(Method::List)?.state.list())
    }

    async fn recover(&self) -> Result<Recovery> {
        Ok(self.begin(Method::Recover)?.state.recover())
    }

    async fn inspect(&self, id: &WorktreeId) -> Result<SafetyReport> {
        self.begin(Method::Inspect)?.state.inspect(id)
    }

    async fn restore(&self, rescue: &Rescue, request: Request) -> Result<Worktree> {
        // Nobody can commit or stage in a tree without git, so that the files are all that there is to bring back.
        let request = Request { base: Base::Commit(rescue.commit.clone()), ..request };
        self.begin(Method::Restore)?.state.create(&request)
    }

    async fn rescues(&self, id: &WorktreeId) -> Result<Vec<Rescue>> {
        Ok(self.begin(Method::Rescues)?.state.history.rescues(id))
    }
}
