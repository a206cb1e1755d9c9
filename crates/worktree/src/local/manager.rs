//! The public face: locks and blocking work are kept off the caller's threads.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinError;

use super::fill::CopyFrom;
use super::layout::{self, Layout};
use super::purge::{self, Purger};
use super::{lease, list, number, recover, release, safety};
use crate::disk;
use crate::{
    Capture, Disposition, Entry, Error, HiddenRepositories, Message, Recovery, Released, Request, Rescue, Result,
    SafetyReport, Worktree, WorktreeId, WorktreeManager, capture, repo,
};

/// Worktrees of one repository on the local disk.
///
/// Cheap to clone; any number of managers, in any number of processes, may work on one repository at a time.
#[derive(Clone, Debug)]
pub struct LocalWorktrees {
    pub(super) layout: Arc<Layout>,
    pub(super) creations: Arc<Semaphore>,
    pub(super) captures: Arc<Semaphore>,
    /// How many creations may be at work at a time.
    parallel: usize,
    pub(super) copy_from: CopyFrom,
    pub(super) precious: Arc<[String]>,
    pub(super) purger: Arc<Purger>,
}

/// How a [`LocalWorktrees`] works; the default suits one that lives beside the repository.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LocalOptions {
    /// The directory of the trees, each named after its id. None puts them beside the repository, into
    /// `<repository>.worktrees`. It is created when it is first needed.
    pub trees: Option<PathBuf>,
    /// Patterns of ignored files that are worth keeping, in the syntax of `.gitignore`, besides those that were seeded:
    /// [`inspect`](WorktreeManager::inspect) names them, since a removal deletes them.
    pub precious: Vec<String>,
    /// What becomes of a worktree in which a repository lies inside of an ignored directory.
    pub hidden: HiddenRepositories,
    /// How many worktrees are filled at the same time; up to twice as many are captured. None asks the machine.
    pub parallel: Option<NonZeroUsize>,
    /// What the holder of a lease is called in `git worktree list`, for people to look at. None is the name of this
    /// process.
    pub owner: Option<String>,
    /// How long git's entry of a removed worktree stays on disk, where git passes it by, before it is deleted: longer
    /// than any git takes to look at it. None is two seconds.
    pub grace: Option<Duration>,
    /// Where new worktrees may take files from that need not be inflated then.
    pub copy_from: CopyFrom,
    /// The path of git's own program, which is only run where a request asks for what nothing else can do: filling
    /// submodules and fetching files of Git LFS. None refuses such requests.
    pub git: Option<PathBuf>,
}

impl LocalOptions {
    /// Sets [`trees`](Self::trees).
    pub fn trees(self, trees: impl Into<Option<PathBuf>>) -> Self {
        Self { trees: trees.into(), ..self }
    }

    /// Sets [`precious`](Self::precious).
    pub fn precious(self, precious: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { precious: precious.into_iter().map(Into::into).collect(), ..self }
    }

    /// Sets [`hidden`](Self::hidden).
    pub fn hidden(self, hidden: HiddenRepositories) -> Self {
        Self { hidden, ..self }
    }

    /// Sets [`parallel`](Self::parallel).
    pub fn parallel(self, parallel: impl Into<Option<NonZeroUsize>>) -> Self {
        Self { parallel: parallel.into(), ..self }
    }

    /// Sets [`owner`](Self::owner).
    pub fn owner(self, owner: impl Into<Option<String>>) -> Self {
        Self { owner: owner.into(), ..self }
    }

    /// Sets [`grace`](Self::grace).
    pub fn grace(self, grace: impl Into<Option<Duration>>) -> Self {
        Self { grace: grace.into(), ..self }
    }

    /// Sets [`copy_from`](Self::copy_from).
    pub fn copy_from(self, copy_from: CopyFrom) -> Self {
        Self { copy_from, ..self }
    }

    /// Sets [`git`](Self::git).
    pub fn git(self, git: impl Into<Option<PathBuf>>) -> Self {
        Self { git: git.into(), ..self }
    }
}

impl LocalWorktrees {
    /// Opens the repository at exactly this path: a main checkout, a bare repository or a `.git` directory.
    ///
    /// This blocks: it reads the repository's configuration and creates some directories. In asynchronous code, call it
    /// where that may take its time, once, and clone the manager.
    ///
    /// # Errors
    /// [`Error::Repository`] when there is none, or one that cannot be used, with the way out.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, LocalOptions::default())
    }

    /// As [`open`](Self::open), with options.
    ///
    /// # Errors
    /// As [`open`](Self::open); also when the trees would lie inside the repository.
    pub fn open_with(path: impl AsRef<Path>, options: LocalOptions) -> Result<Self> {
        let place = repo::locate(path.as_ref())?;
        let trees = match &options.trees {
            Some(path) => absolute(path)?,
            None => layout::default_trees(&place.common, place.main.as_deref()),
        };
        let inside = |dir: &Path| trees.starts_with(dir);
        if inside(&place.common) || place.main.as_deref().is_some_and(inside) {
            let problem = "worktrees inside the repository would be seen by every tool that walks the main checkout; \
                           name a directory outside of it"
                .into();
            return Err(Error::Repository { path: trees, problem });
        }
        if options.trees.is_none() && repo::is_submodule(&place) {
            let problem = "it is a submodule, and worktrees beside it would lie in the checkout around it; name a \
                           directory outside of that in `LocalOptions::trees`"
                .into();
            return Err(Error::Repository { path: trees, problem });
        }
        let state = place.common.join("hedgerow");
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let layout = Layout {
            common: place.common,
            main: place.main,
            state,
            trees,
            git: options.git,
            owner: lease::owner(options.owner).into(),
            left: Arc::default(),
            hidden: options.hidden,
            threads: cores,
            gate: Arc::default(),
        };
        for dir in [layout.state.clone(), layout.records(), layout.staging(), layout.trash()] {
            disk::private_dir(&dir)?;
        }
        let parallel = options.parallel.map_or(cores * 2, NonZeroUsize::get).min(Semaphore::MAX_PERMITS / 2);
        let slots = |wanted: usize| Arc::new(Semaphore::new(wanted));
        // A capture has several threads, and waits for the disk half of the time.
        let captured = options.parallel.map_or((cores / 2).max(1), NonZeroUsize::get).min(parallel) * 2;
        let (creations, captures) = (slots(parallel), slots(captured));
        let purger = Arc::new(Purger::new(options.grace.unwrap_or(purge::GRACE)));
        let (copy_from, precious) = (options.copy_from, options.precious.into());
        Ok(Self { layout: Arc::new(layout), creations, captures, parallel, copy_from, precious, purger })
    }

    /// The repository's common directory, canonical.
    pub fn repository(&self) -> &Path {
        &self.layout.common
    }

    /// Where this crate keeps its state about the repository, readable by its owner only. Others may keep theirs in
    /// directories of their own below it.
    pub fn state_dir(&self) -> &Path {
        &self.layout.state
    }

    /// The directory of the trees.
    pub fn trees(&self) -> &Path {
        &self.layout.trees
    }

    /// Leases a worktree that was kept, or whose owner is dead.
    ///
    /// The lease is written down when this returns. Cancelled, it has either not begun, or it ends in the background and
    /// the worktree is orphaned like one whose handle was dropped, also if it was kept before: it can be adopted again,
    /// and [`recover`](WorktreeManager::recover) hands it out.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] when there is none of this id that could be leased; somebody living may hold it.
    pub async fn adopt(&self, id: &WorktreeId) -> Result<Worktree> {
        let id = id.clone();
        self.blocking(move |layout| recover::adopt(layout, &id)).await
    }

    /// How many threads a creation gets that begins now, being one of those at work: they share the processors.
    pub(super) fn threads(&self) -> usize {
        const MOST: usize = 2;
        let busy = self.parallel.saturating_sub(self.creations.available_permits()).max(1);
        (self.layout.threads / busy).clamp(1, MOST)
    }

    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Layout) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (layout, purger) = (Arc::clone(&self.layout), Arc::clone(&self.purger));
        let (done, told) = oneshot::channel();
        let work = move || {
            // Whoever waits for it may be gone.
            let _ = done.send(work(&layout));
            // Last, because a thread may have to be started.
            if layout.left.swap(false, Ordering::Relaxed) {
                purger.call(&layout);
            }
        };
        let thread = tokio::task::spawn_blocking(work);
        match told.await {
            Ok(done) => done,
            Err(_) => Err(interrupted(thread.await.expect_err("it tells what it did before it ends"))),
        }
    }
}

#[async_trait]
impl WorktreeManager for LocalWorktrees {
    async fn create(&self, request: Request) -> Result<Worktree> {
        number::create(request, |request| async { Ok(self.create_reporting(request).await?.0) }).await
    }

    async fn capture(&self, worktree: &Worktree, message: Message) -> Result<Capture> {
        let slot = slot(&self.captures).await;
        let held = release::held(worktree)?;
        self.blocking(move |layout| {
            let _slot = slot;
            release::capture(layout, &held, &message)
        })
        .await
    }

    async fn release(&self, worktree: Worktree, disposition: Disposition) -> Result<Released> {
        // What captures nothing keeps no processor busy, and need not wait for those that do.
        let slot = match disposition {
            Disposition::Keep | Disposition::Discard => None,
            Disposition::Archive | Disposition::Merged { .. } => Some(slot(&self.captures).await),
        };
        self.blocking(move |layout| {
            let ended = release::end(layout, worktree, &disposition, &|_| Ok(()))?;
            drop(slot);
            ended.settle()
        })
        .await
    }

    async fn list(&self) -> Result<Vec<Entry>> {
        self.blocking(list::list).await
    }

    async fn recover(&self) -> Result<Recovery> {
        self.blocking(recover::recover).await
    }

    async fn inspect(&self, id: &WorktreeId) -> Result<SafetyReport> {
        let slot = slot(&self.captures).await;
        let (id, precious) = (id.clone(), Arc::clone(&self.precious));
        self.blocking(move |layout| {
            let _slot = slot;
            Ok(safety::inspect(layout, &safety::record(layout, &id)?, &precious)?.report)
        })
        .await
    }

    async fn restore(&self, rescue: &Rescue, request: Request) -> Result<Worktree> {
        self.restored(rescue, request).await
    }

    async fn rescues(&self, id: &WorktreeId) -> Result<Vec<Rescue>> {
        let id = id.clone();
        self.blocking(move |layout| capture::rescues(&layout.common, &id)).await
    }
}

pub(super) async fn slot(of: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    Arc::clone(of).acquire_owned().await.expect("the semaphore is never closed")
}

/// Tells the creation that nobody waits for it any more, so that it undoes itself if it can.
pub(super) struct CancelOnDrop(pub(super) Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn interrupted(thread: JoinError) -> Error {
    match thread.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(e) => Error::Git { action: "finish before the runtime shut down".into(), source: e.into() },
    }
}

/// The path without symlinks, as far as it exists.
fn absolute(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path).map_err(capture::fault::io("resolve", path))?;
    let mut missing = Vec::new();
    let mut at = path.as_path();
    let resolved = loop {
        match at.canonicalize() {
            Ok(found) => break found,
            Err(_) => match (at.parent(), at.file_name()) {
                (Some(parent), Some(name)) => {
                    missing.push(name.to_owned());
                    at = parent;
                }
                _ => break at.to_owned(),
            },
        }
    };
    let whole: PathBuf = missing.into_iter().rev().fold(resolved, |path, name| path.join(name));
    if whole.to_str().is_none() {
        return Err(Error::Repository {
            path: whole,
            problem: "this path is not valid UTF-8; name one that is".into(),
        });
    }
    Ok(whole)
}
