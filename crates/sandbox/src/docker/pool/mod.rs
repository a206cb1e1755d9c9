//! Containers that are ready before they are asked for.
//!
//! A container is made, started and idle: a shell of the image in it waits to be told what to become. Whoever has a command of
//! the same shape claims it, mounts the sandbox's trees into it, and tells the shell the rest; from then on it is followed as
//! any other. It serves one command and is removed with it, so nothing of one command is there for the next. One process
//! holds the standard input of each: when that process dies, the shell reads the end of its input and ends.

mod claim;
mod fill;
mod lines;
mod options;
mod plan;
mod ready;
mod shape;
mod spoilt;
mod tale;
#[cfg_attr(not(target_os = "linux"), path = "no_trees.rs")]
mod trees;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bollard::models::ContainerSummary;
use tokio::sync::Notify;

use crate::{Result, SandboxId};

use super::owner::Near;
use super::probe::unavailable;
use super::{Lane, label, lease};

pub use options::{Trees, Warm, Warmth};

pub(super) use claim::Ask;
pub(super) use lines::complaint;
pub(super) use ready::{LABEL, NOBODYS};
pub(super) use tale::{Told, told};

use ready::Ready;
use shape::Shape;

/// What is kept ready, of all kinds.
#[derive(Debug)]
pub(super) struct Pool {
    lane: Arc<Lane>,
    kinds: Vec<Kind>,
    /// Told when something was taken.
    wanted: Arc<Notify>,
    /// Nothing is made any more.
    over: AtomicBool,
    /// Held while one is made.
    making: tokio::sync::Mutex<()>,
}

/// What is kept ready of one kind.
#[derive(Debug)]
struct Kind {
    shape: Shape,
    trees: Trees,
    count: usize,
    ready: Mutex<VecDeque<Ready>>,
    claimed: AtomicU64,
    failed: Mutex<Option<String>>,
}

impl Pool {
    /// Makes the first container of each kind, and the others in the background.
    pub(super) async fn new(lane: Arc<Lane>, wanted: Vec<Warm>) -> Result<Arc<Self>> {
        let mut kinds = Vec::new();
        for Warm { pattern, count, trees } in wanted {
            if trees == Trees::Added
                && let Some(why) = closed(&lane)
            {
                return Err(unavailable(format!(
                    "no tree can be mounted into a container that is kept ready: {why}; choose Trees::Fixed, or no such containers"
                )));
            }
            let user = super::launch::user(&lane, &pattern).await?;
            let shape = Shape::new(&pattern, &lane.facts, user, trees)?;
            let kind = Kind {
                shape,
                trees,
                count,
                ready: Mutex::default(),
                claimed: AtomicU64::new(0),
                failed: Mutex::default(),
            };
            kinds.push(kind);
        }
        let pool = Arc::new(Self {
            lane,
            kinds,
            wanted: Arc::default(),
            over: AtomicBool::new(false),
            making: Default::default(),
        });
        // In the pool at once, so that none is left behind when a later one cannot be made or nobody waits any more.
        for kind in pool.kinds.iter().filter(|kind| kind.count > 0) {
            match Ready::make(&pool.lane, &kind.shape, kind.trees).await {
                Ok(first) => locked(&kind.ready).push_back(first),
                Err(error) => {
                    // Why there is none matters more; what is left is removed later.
                    let _later = pool.cool().await;
                    return Err(error);
                }
            }
        }
        fill::begin(&pool);
        Ok(pool)
    }

    pub(super) fn warmth(&self) -> Vec<Warmth> {
        let of = |kind: &Kind| Warmth {
            ready: locked(&kind.ready).len(),
            claimed: kind.claimed.load(Ordering::Relaxed),
            failed: locked(&kind.failed).clone(),
        };
        self.kinds.iter().map(of).collect()
    }

    /// Removes what is ready, and makes no more. All are tried; the error is that of the first one that could not be removed.
    pub(super) async fn cool(&self) -> Result<()> {
        self.over.store(true, Ordering::Relaxed);
        let _none = self.making.lock().await;
        let mut outcome = Ok(());
        for container in self.emptied() {
            let removed = container.discard(&self.lane).await;
            outcome = outcome.and(removed);
        }
        outcome
    }

    fn emptied(&self) -> Vec<Ready> {
        self.kinds.iter().flat_map(|kind| std::mem::take(&mut *locked(&kind.ready))).collect()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let left = self.emptied();
        // Without a runtime, their shells end with their input, and the next owner reaps what is left of them.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let lane = Arc::clone(&self.lane);
        runtime.spawn(async move {
            for container in left {
                let _later = container.discard(&lane).await;
            }
        });
    }
}

impl Kind {
    fn take(&self) -> Option<Ready> {
        locked(&self.ready).pop_front()
    }

    /// Why none is to be had.
    fn why_empty(&self) -> String {
        match &*locked(&self.failed) {
            None => "all containers that were ready have been claimed".to_owned(),
            Some(why) => format!("no container can be made ready: {why}"),
        }
    }

    /// Hands it back when no more are wanted.
    fn give(&self, ready: Ready, over: &AtomicBool) -> Option<Ready> {
        let mut kept = locked(&self.ready);
        // Under the lock, because whoever sets it empties this next.
        if over.load(Ordering::Relaxed) {
            return Some(ready);
        }
        kept.push_back(ready);
        None
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why no tree can be mounted into containers of this engine.
fn closed(lane: &Lane) -> Option<String> {
    if lane.near != Near::Same {
        return Some("the engine is not known to be a process of this machine".into());
    }
    if lane.facts.rootless || lane.facts.remapped {
        return Some("the engine gives its containers a user namespace of their own".into());
    }
    lane.facts.foreign_kernel.clone().or_else(trees::problem)
}

/// The sandbox that a container which was kept ready has been given to; none for all others, and for one that waits.
pub(super) fn claimed_by(container: &ContainerSummary) -> Option<SandboxId> {
    label(container, LABEL)?;
    let given = lease::given_name(lease::name(container)?);
    SandboxId::new(super::input::Names::parse(given)?.0).ok()
}

/// Whether a container that was kept ready has been given to a sandbox with this label.
pub(super) fn tells_of(container: &ContainerSummary, key: &str, value: &str) -> bool {
    lease::name(container).is_some_and(|name| super::input::Names::tells_of(lease::given_name(name), key, value))
}

/// Whether a container is, or was, kept ready.
pub(super) fn was_kept(container: &ContainerSummary) -> bool {
    label(container, LABEL).is_some()
}

impl Warm {
    /// What it is for.
    pub(super) fn pattern(&self) -> &crate::Spec {
        &self.pattern
    }
}
