//! The public face of a pool.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use gix::ObjectId;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::advance::Work;
use super::fill::Tools;
use super::options::{Exhausted, PoolOptions};
use super::outcome::{Claims, PoolStatus, Refilled};
use super::refill::Turn;
use super::slot::{self, Stage};
use super::{recycle, shelf, sweep};
use crate::local::layout::Layout;
use crate::local::manager::{CancelOnDrop, LocalWorktrees, slot as permit};
use crate::local::record::Record;
use crate::local::{base, create, number, release};
use crate::{
    Base, Capture, Disposition, Entry, Error, Message, Recovery, Released, Request, Rescue, Result, SafetyReport,
    Sparse, Worktree, WorktreeId, WorktreeManager, disk, repo,
};

/// Worktrees whose files are there before they are asked for.
///
/// A pool does everything that its [`LocalWorktrees`] does. In addition it holds trees ready: a creation takes one of them
/// and writes only the files in which its commit differs from the tree's, so that its time depends on that difference.
/// (The index of a tree is read and written as a whole, as git itself does at every command.) Released trees go back into
/// the pool: the next [`refill`](Self::refill) deletes what the last owner left, writes anew what that touched, and looks
/// at every file, directory, mode and symlink before it hands the tree out again.
///
/// What cannot be proven clean is not handed out. A slot in which anybody was, that a process still uses, whose index
/// cannot be read or whose commit is gone, is deleted, and another one or none takes its place. Idle slots hold no work;
/// what somebody writes into one is lost. They do not outlive a restart of the machine.
///
/// Nothing runs in the background by itself: call `refill` after each release and whenever the base moved, in a task of
/// its own or not. Any number of pools, in any number of processes, may work on one repository at a time. They share the
/// slots, of which no two ever get the same.
///
/// ```
/// # use std::process::Command;
/// # fn git(dir: &std::path::Path, args: &[&str]) {
/// #     let run = Command::new("git").current_dir(dir).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null").status();
/// #     assert!(run.unwrap().success(), "git {args:?}");
/// # }
/// use std::num::NonZeroUsize;
///
/// use hedgerow_worktree::pool::{Keep, Pool, PoolOptions};
/// use hedgerow_worktree::{Base, BranchName, Disposition, LocalWorktrees, Request, WorktreeId, WorktreeManager};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let repository = dir.path().join("shop");
/// # std::fs::create_dir(&repository)?;
/// # git(&repository, &["init", "-q", "-b", "main"]);
/// # git(&repository, &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "first"]);
/// let mut options = PoolOptions::new(NonZeroUsize::MIN);
/// options.keep = Keep::caches(["target/"]);
/// let pool = Pool::open(LocalWorktrees::open(&repository)?, options).await?;
/// assert_eq!(pool.refill(&Base::Head).await?.made, 1);
///
/// let request = Request::new(WorktreeId::new("fix-42")?, BranchName::new("fix/42")?, Base::Head);
/// let worktree = pool.create(request).await?;
/// assert_eq!(pool.status().await?.claims.hits, 1);
///
/// pool.release(worktree, Disposition::Archive).await?;
/// let filled = tokio::spawn({
///     let pool = pool.clone();
///     async move { pool.refill(&Base::Head).await }
/// });
/// // Other work goes on meanwhile.
/// filled.await??;
/// assert_eq!(pool.status().await?.ready.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Pool {
    worktrees: LocalWorktrees,
    options: Arc<PoolOptions>,
    counters: Arc<Counters>,
    /// How many creations and refills have a thread, on which they may have to wait for others.
    threads: Arc<Semaphore>,
}

/// A small part of the threads on which a runtime lets work block, so that those who are waited for find one.
const THREADS: usize = 64;

#[derive(Debug, Default)]
struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    written: AtomicU64,
    deleted: AtomicU64,
}

impl Counters {
    fn hit(&self, work: Work) {
        self.hits.fetch_add(1, Ordering::Relaxed);
        self.written.fetch_add(work.written as u64, Ordering::Relaxed);
        self.deleted.fetch_add(work.deleted as u64, Ordering::Relaxed);
    }

    fn claims(&self) -> Claims {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Claims {
            hits: read(&self.hits),
            misses: read(&self.misses),
            written: read(&self.written),
            deleted: read(&self.deleted),
        }
    }
}

impl Pool {
    /// Opens the pool of a repository and clears away what dead processes left of its slots. What cannot be deleted
    /// stays; the next [`refill`](Self::refill) names it, and [`drain`](Self::drain) fails.
    ///
    /// # Errors
    /// When the state of the pool cannot be read or written.
    pub async fn open(worktrees: LocalWorktrees, options: PoolOptions) -> Result<Self> {
        worktrees
            .blocking(|layout| {
                disk::private_dir(&slot::dir(layout))?;
                sweep::sweep(layout)
            })
            .await?;
        let threads = Arc::new(Semaphore::new(THREADS));
        Ok(Self { worktrees, options: Arc::new(options), counters: Arc::default(), threads })
    }

    /// Makes sure that there are as many slots as the options say, clean and at what the base names now.
    ///
    /// Every idle slot is looked at as a whole. Those of another commit are brought to this one by their difference, or
    /// replaced if that is too large; released trees are reset; missing slots are filled, surplus ones deleted. Each slot
    /// can be claimed as soon as it is ready. Dropped half-way, this stops at the next slot; what it had begun is finished
    /// or cleared away by the next refill.
    ///
    /// # Errors
    /// When the base does not name a commit, or a slot could not be filled or deleted. A slot that cannot be used is no
    /// error but in [`Refilled::dropped`].
    pub async fn refill(&self, base: &Base) -> Result<Refilled> {
        let (pool, base) = (self.clone(), base.clone());
        let thread = permit(&self.threads).await;
        let cancel = CancelOnDrop(Arc::default());
        let cancelled = Arc::clone(&cancel.0);
        self.worktrees
            .blocking(move |layout| {
                let _thread = thread;
                let repo = repo::open(&layout.common)?;
                let commit = base::resolve(&repo, &base)?;
                let pause = || pool.turn();
                pool.tools(layout, &repo, &cancelled)?.refill(commit, &pause)
            })
            .await
    }

    /// Deletes every slot that nobody is at work on, and returns how many that were.
    ///
    /// Cancelled before it began, it does nothing; later, it goes on in the background until all are deleted.
    ///
    /// # Errors
    /// The first, when slots could not be deleted, or are those of the repository that this one is a copy of. All others
    /// are deleted then, and the next call or refill finds these again.
    pub async fn drain(&self) -> Result<usize> {
        self.worktrees
            .blocking(|layout| {
                let mut deleted: Vec<Result<()>> =
                    sweep::sweep(layout)?.into_iter().map(|cleared| cleared.deleted).collect();
                for token in shelf::tokens(layout)? {
                    if let Some(held) = shelf::take(layout, &token)? {
                        deleted.push(held.delete(layout));
                    }
                }
                Ok(deleted.into_iter().collect::<Result<Vec<()>>>()?.len())
            })
            .await
    }

    /// What there is, and what was claimed through this handle and its clones.
    ///
    /// # Errors
    /// When the state of the pool cannot be read.
    pub async fn status(&self) -> Result<PoolStatus> {
        let claims = self.counters.claims();
        self.worktrees
            .blocking(move |layout| {
                let slots = shelf::slots(layout)?;
                let busy = shelf::busy(layout, &slots)?;
                let mut status = PoolStatus { claims, ..PoolStatus::default() };
                for (slot, busy) in slots.into_iter().zip(busy) {
                    match slot.stage {
                        _ if busy => status.filling += 1,
                        Stage::Ready => status.ready.push(slot.commit),
                        Stage::Dirty => status.dirty += 1,
                        Stage::Partial => {}
                    }
                }
                Ok(status)
            })
            .await
    }

    /// The manager that makes the worktrees.
    pub fn worktrees(&self) -> &LocalWorktrees {
        &self.worktrees
    }

    fn tools<'a>(
        &'a self,
        layout: &'a Layout,
        repo: &'a gix::Repository,
        cancelled: &'a AtomicBool,
    ) -> Result<Tools<'a>> {
        Tools::new(layout, repo, &self.options, &self.worktrees, cancelled)
    }

    /// Waits for the right to keep the processor busy, on a thread that may wait.
    fn turn(&self) -> Turn {
        Handle::try_current().ok().map(|runtime| runtime.block_on(permit(&self.worktrees.creations)))
    }

    /// Makes the files of a new worktree: from a slot, or as the options say.
    fn fill(
        &self,
        layout: &Layout,
        repo: &gix::Repository,
        commit: ObjectId,
        record: &mut Record,
        cancelled: &AtomicBool,
    ) -> Result<gix::index::File> {
        let tools = self.tools(layout, repo, cancelled)?;
        if record.sparse != Sparse::Inherit {
            // The slots have other files, and this tree must not become one of them.
            self.counters.misses.fetch_add(1, Ordering::Relaxed);
            let _turn = self.turn();
            return tools.write_all(commit, &record.temporary, &record.sparse);
        }
        record.origin = Some(tools.origin());
        if let Some((index, work)) = tools.claim(commit, record)? {
            self.counters.hit(work);
            return Ok(index);
        }
        self.counters.misses.fetch_add(1, Ordering::Relaxed);
        match self.options.exhausted {
            Exhausted::Create => {
                let _turn = self.turn();
                tools.write_all(commit, &record.temporary, &record.sparse)
            }
            Exhausted::Refuse => Err(Error::Exhausted {
                commit: commit.to_string(),
                problem: "all are taken, being made ready, or too far from it; refill the pool, or try again later",
            }),
        }
    }

    async fn create_once(&self, request: Request) -> Result<Worktree> {
        let pool = self.clone();
        let thread = permit(&self.threads).await;
        let cancel = CancelOnDrop(Arc::default());
        let cancelled = Arc::clone(&cancel.0);
        self.worktrees
            .blocking(move |layout| {
                let _thread = thread;
                let fill: create::Fill<'_> =
                    Box::new(|repo, commit, record| pool.fill(layout, repo, commit, record, &cancelled));
                create::create(layout, &request, fill, &cancelled)
            })
            .await
    }
}

#[async_trait]
impl WorktreeManager for Pool {
    async fn create(&self, request: Request) -> Result<Worktree> {
        number::create(request, |request| self.create_once(request)).await
    }

    async fn capture(&self, worktree: &Worktree, message: Message) -> Result<Capture> {
        self.worktrees.capture(worktree, message).await
    }

    async fn release(&self, worktree: Worktree, disposition: Disposition) -> Result<Released> {
        let turn = permit(&self.worktrees.captures).await;
        let slots = self.options.slots.get();
        self.worktrees
            .blocking(move |layout| {
                // Kept until the tree has arrived, so that no refill takes it before.
                let reserved = RefCell::new(None);
                let goes = |record: &mut Record| {
                    // A tree that the pool cannot take goes where it would go without one.
                    *reserved.borrow_mut() = recycle::reserve(layout, record, slots).ok().flatten();
                    Ok(())
                };
                let ended = release::end(layout, worktree, &disposition, &goes)?;
                // Others need not wait for the disk with it.
                drop(turn);
                ended.settle()
            })
            .await
    }

    async fn list(&self) -> Result<Vec<Entry>> {
        self.worktrees.list().await
    }

    async fn recover(&self) -> Result<Recovery> {
        self.worktrees.recover().await
    }

    async fn inspect(&self, id: &WorktreeId) -> Result<SafetyReport> {
        self.worktrees.inspect(id).await
    }

    async fn restore(&self, rescue: &Rescue, request: Request) -> Result<Worktree> {
        self.worktrees.restore(rescue, request).await
    }

    async fn rescues(&self, id: &WorktreeId) -> Result<Vec<Rescue>> {
        self.worktrees.rescues(id).await
    }
}
