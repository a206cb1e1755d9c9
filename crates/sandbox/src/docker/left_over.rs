//! Containers of this process's own that could not be removed yet, because the engine was out of reach.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use crate::{Result, SandboxId};

use super::Lane;
use super::lease::{self, Lease};
use super::owner::Fate;

/// How often, and how long apart, it is tried to remove them without being asked.
pub(super) const TRIES: u32 = 120;
pub(super) const PAUSE: Duration = Duration::from_secs(5);

impl Lane {
    /// Notes that containers of these names may be there, and must not be.
    pub(super) fn note_left_over(&self, sandbox: &SandboxId, names: impl IntoIterator<Item = String>) {
        let mut left = self.left_over.lock().unwrap_or_else(PoisonError::into_inner);
        left.extend(names.into_iter().map(|name| (name, sandbox.clone())));
    }

    pub(super) fn is_left_over(&self, name: &str) -> bool {
        self.left_over.lock().unwrap_or_else(PoisonError::into_inner).contains_key(name)
    }

    /// Removes what is noted of a sandbox. What somebody took over meanwhile has another name and stays.
    pub(super) async fn sweep(&self, sandbox: &SandboxId) -> Result<()> {
        let of_it = |(name, of): (&String, &SandboxId)| (of == sandbox).then(|| name.clone());
        let names: Vec<_> =
            self.left_over.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(of_it).collect();
        if names.is_empty() {
            return Ok(());
        }
        for container in self.containers(sandbox).await? {
            let ours = |lease: Lease| lease.owner.fate(self.me.as_ref()) == Fate::Ourselves;
            let noted = lease::name(&container).is_some_and(|name| names.iter().any(|left| left == name));
            if let (true, true, Some(id)) = (noted, Lease::of(&container).is_none_or(ours), &container.id) {
                self.engine.remove(id).await?;
            }
        }
        self.forget_left_over(&names);
        Ok(())
    }

    /// Forgets names under which nothing is any more.
    pub(super) fn forget_left_over(&self, names: &[String]) {
        let mut left = self.left_over.lock().unwrap_or_else(PoisonError::into_inner);
        left.retain(|name, _| !names.contains(name));
    }

    /// The same, again and again until it succeeds, by a task that nobody waits for.
    pub(super) fn sweep_later(self: &Arc<Self>, sandbox: &SandboxId) {
        let (lane, sandbox) = (Arc::clone(self), sandbox.clone());
        tokio::spawn(async move {
            for _ in 0..TRIES {
                sleep(PAUSE).await;
                if lane.sweep(&sandbox).await.is_ok() {
                    return;
                }
            }
        });
    }
}
