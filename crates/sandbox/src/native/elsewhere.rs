//! The lane on systems that have no namespaces: its probe says so.

use async_trait::async_trait;

use super::{LANE, NativeFacts, NativeOptions};
use crate::{Coverage, Error, Guarantee, Labels, Result, Running, Sandbox, SandboxId, Spec};

/// Runs commands in Linux namespaces of their own; on this system it cannot be made.
#[derive(Debug)]
pub struct NativeSandbox(std::convert::Infallible);

impl NativeSandbox {
    /// Finds out what this machine can enforce.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: this lane needs Linux.
    pub fn probe() -> Result<Self> {
        Self::probe_with(NativeOptions::default())
    }

    /// The same with options.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: this lane needs Linux.
    pub fn probe_with(_: NativeOptions) -> Result<Self> {
        Err(Error::Unavailable { lane: LANE, problem: "namespaces need Linux; use a container lane".into() })
    }

    /// By what this lane keeps its promises here.
    pub fn facts(&self) -> NativeFacts {
        match self.0 {}
    }

    /// The same lane with this proxy for sandboxes whose policy has a list.
    #[cfg(feature = "egress")]
    #[must_use]
    pub fn egress(self, _: crate::Egress) -> Self {
        self
    }
}

#[async_trait]
impl Sandbox for NativeSandbox {
    fn name(&self) -> &'static str {
        LANE
    }

    fn coverage(&self, _: Guarantee) -> Coverage {
        match self.0 {}
    }

    async fn start(&self, _: Spec) -> Result<Box<dyn Running>> {
        match self.0 {}
    }

    async fn adopt(&self, _: &SandboxId) -> Result<Option<Box<dyn Running>>> {
        match self.0 {}
    }

    async fn list(&self, _: &Labels) -> Result<Vec<SandboxId>> {
        match self.0 {}
    }
}
