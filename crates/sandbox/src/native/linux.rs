//! The lane itself.

use std::sync::Arc;

use async_trait::async_trait;

use super::confined::ConfinedLane;
use super::found::Found;
use super::lane::{NativeLane, unavailable};
use super::outlet::{Outlets, Setting};
use super::wrapped::{self, WrappedLane};
use super::{LANE, Mechanism, NativeFacts, NativeOptions};
use crate::run::reap::Groups;
use crate::run::{Lane, Reaping, Session};
use crate::{Coverage, Error, Guarantee, Labels, Result, Running, Sandbox, SandboxId, Spec, check};

/// Runs commands in Linux namespaces of their own, with a minimal read-only root, without capabilities, behind a system
/// call filter.
///
/// It needs no daemon, no root and no other program. Every command gets a fresh set of namespaces: the caller's home
/// and mounts persist, `/tmp` does not. Inside, `HOME` is `/home/agent`, and the user is the one outside (1000 where
/// that is root), so files in a mounted directory belong to the same user on both sides.
///
/// Visible are the system's directories (`/usr`, `/bin`, `/lib`, `/opt`, what programs need of `/etc`), read-only; the
/// caller's mounts; and nothing else of the host: no home, no other process, no device, no socket.
///
/// It needs a Tokio runtime with I/O and time enabled.
#[derive(Debug)]
pub struct NativeSandbox {
    options: NativeOptions,
    found: Found,
    egress: Setting,
    reaping: Reaping,
}

impl NativeSandbox {
    /// Finds out, by running two small commands, what this machine can enforce. Blocks for some milliseconds.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with what is missing and how to get it, when namespaces cannot be made here.
    pub fn probe() -> Result<Self> {
        Self::probe_with(NativeOptions::default())
    }

    /// The same with options.
    ///
    /// # Errors
    /// [`Error::Unavailable`] as for [`probe`](Self::probe); [`Error::InvalidSpec`] when a path of the options is not there.
    pub fn probe_with(options: NativeOptions) -> Result<Self> {
        for path in &options.system {
            check::path(path, "system path")?;
            path.metadata().map_err(|e| Error::InvalidSpec {
                what: format!("system path {}", path.display()),
                problem: e.to_string(),
            })?;
        }
        let probe = {
            let options = options.clone();
            // A thread of its own: the one that starts a command holds back its signals for good.
            std::thread::spawn(move || Found::probe(&options)).join()
        };
        let found = probe.map_err(|_| unavailable("its probe panicked"))??;
        Ok(Self { options, found, egress: Setting::default(), reaping: Reaping::begin(Groups::LookedThrough) })
    }

    /// The same lane with this proxy for sandboxes whose policy has a list.
    #[cfg(feature = "egress")]
    #[must_use]
    pub fn egress(mut self, egress: Setting) -> Self {
        self.egress = egress;
        self
    }

    /// By what this lane keeps its promises here.
    pub fn facts(&self) -> NativeFacts {
        self.found.facts()
    }
}

#[async_trait]
impl Sandbox for NativeSandbox {
    fn name(&self) -> &'static str {
        match self.found.mechanism {
            Mechanism::Bubblewrap => wrapped::LANE,
            Mechanism::Namespaces | Mechanism::Landlock => LANE,
        }
    }

    fn coverage(&self, guarantee: Guarantee) -> Coverage {
        self.found.coverage(guarantee)
    }

    async fn start(&self, spec: Spec) -> Result<Box<dyn Running>> {
        check::policy(self.name(), self, &spec.policy)?;
        self.reaping.done().await;
        let (options, found) = (self.options.clone(), self.found.clone());
        let outlets = Outlets::new(&self.egress, &spec);
        let lane = tokio::task::spawn_blocking(move || -> Result<Arc<dyn Lane>> {
            Ok(match found.mechanism {
                Mechanism::Namespaces => Arc::new(NativeLane::new(options, found, spec, outlets)?),
                Mechanism::Bubblewrap => Arc::new(WrappedLane::new(options, found, spec)?),
                Mechanism::Landlock => Arc::new(ConfinedLane::new(options, found, spec)?),
            })
        })
        .await;
        let lane = lane.map_err(|e| Error::Lane { action: "plan the sandbox".into(), source: e.into() })??;
        Ok(Box::new(Session::new(lane)))
    }

    async fn adopt(&self, _: &SandboxId) -> Result<Option<Box<dyn Running>>> {
        Ok(None)
    }

    async fn list(&self, _: &Labels) -> Result<Vec<SandboxId>> {
        Ok(Vec::new())
    }
}
