//! What an attempt works with.

use std::collections::BTreeMap;
use std::sync::Arc;

use hedgerow_merge::{Checkout, MergeStrategy};
use hedgerow_sandbox::{Policy, Sandbox};
use hedgerow_worktree::{LocalWorktrees, Seed, WorktreeManager};

use crate::{Agent, Gate};

/// The parts that a fleet is wired from, the same for all its runs.
#[derive(Clone, Debug)]
pub(crate) struct Services {
    pub(crate) worktrees: Arc<dyn WorktreeManager>,
    /// The same, for what only the local ones have to do.
    pub(crate) local: LocalWorktrees,
    pub(crate) lane: Arc<dyn Sandbox>,
    pub(crate) repository: hedgerow_merge::Repository,
    pub(crate) strategy: Arc<dyn MergeStrategy>,
    /// Agents that were given in Rust; those of a plan come on top.
    pub(crate) agents: BTreeMap<String, Arc<dyn Agent>>,
    /// A gate that was given in Rust; it replaces the plan's.
    pub(crate) gate: Option<Arc<dyn Gate>>,
    pub(crate) policy: Policy,
    pub(crate) gate_policy: Policy,
    pub(crate) checkout: Checkout,
    pub(crate) seed: Seed,
    pub(crate) parallel: usize,
}

impl Services {
    /// The name under which runs remember the gate.
    pub(crate) fn gate_name(&self) -> &str {
        self.gate.as_ref().map_or("plan", |gate| gate.name())
    }
}
