//! The manager.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use hedgerow_worktree::{
    Capture, Disposition, Entry, Error, Message, Recovery, Released, Request, Rescue, Result, SafetyReport, Worktree,
    WorktreeId, WorktreeManager,
};

/// Another manager, and a log of what is done with it.
#[derive(Debug)]
pub(crate) struct Watched<M> {
    inner: M,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    held: usize,
    log: Vec<String>,
}

/// What our handles hold: the handle of the other manager, which holds the lease.
struct Held {
    inner: Worktree,
    watch: Watch,
}

/// Notices when a handle is given up, on purpose or not.
struct Watch {
    id: WorktreeId,
    seen: Arc<Mutex<Seen>>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut seen = lock(&self.seen);
        seen.held -= 1;
        let line = format!("gave up {}, {} held", self.id, seen.held);
        seen.log.push(line);
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<M: WorktreeManager> Watched<M> {
    pub(crate) fn new(inner: M) -> Self {
        Self { inner, seen: Arc::default() }
    }

    /// What was done so far.
    pub(crate) fn log(&self) -> Vec<String> {
        lock(&self.seen).log.clone()
    }

    /// A handle of ours around one of the other manager's.
    fn watch(&self, verb: &str, inner: Worktree) -> Worktree {
        let parts = inner.parts().clone();
        let mut seen = lock(&self.seen);
        seen.held += 1;
        let line = format!("{verb} {}, {} held", parts.id, seen.held);
        seen.log.push(line);
        let watch = Watch { id: parts.id.clone(), seen: Arc::clone(&self.seen) };
        Worktree::new(parts, Held { inner, watch })
    }
}

/// A handle that is none of ours has no lease of ours either.
fn foreign(id: &WorktreeId) -> Error {
    Error::LeaseLost { id: id.to_string(), problem: "the handle was not made by this manager".into() }
}

#[async_trait]
impl<M: WorktreeManager> WorktreeManager for Watched<M> {
    async fn create(&self, request: Request) -> Result<Worktree> {
        Ok(self.watch("created", self.inner.create(request).await?))
    }

    async fn capture(&self, worktree: &Worktree, message: Message) -> Result<Capture> {
        let Some(held) = worktree.lease().downcast_ref::<Held>() else { return Err(foreign(worktree.id())) };
        let capture = self.inner.capture(&held.inner, message).await?;
        lock(&self.seen).log.push(format!("captured {} files of {}", capture.files, worktree.id()));
        Ok(capture)
    }

    async fn release(&self, worktree: Worktree, disposition: Disposition) -> Result<Released> {
        let (parts, lease) = worktree.into_parts();
        let Ok(held) = lease.downcast::<Held>() else { return Err(foreign(&parts.id)) };
        let Held { inner, watch } = *held;
        let released = self.inner.release(inner, disposition).await?;
        lock(&self.seen).log.push(format!("released {}: {:?}", parts.id, released.fate));
        drop(watch);
        Ok(released)
    }

    async fn list(&self) -> Result<Vec<Entry>> {
        self.inner.list().await
    }

    async fn recover(&self) -> Result<Recovery> {
        let mut recovery = self.inner.recover().await?;
        let adopted = std::mem::take(&mut recovery.adopted);
        recovery.adopted = adopted.into_iter().map(|inner| self.watch("adopted", inner)).collect();
        Ok(recovery)
    }

    async fn inspect(&self, id: &WorktreeId) -> Result<SafetyReport> {
        self.inner.inspect(id).await
    }

    async fn restore(&self, rescue: &Rescue, request: Request) -> Result<Worktree> {
        Ok(self.watch("restored", self.inner.restore(rescue, request).await?))
    }

    async fn rescues(&self, id: &WorktreeId) -> Result<Vec<Rescue>> {
        self.inner.rescues(id).await
    }
}
