//! Wiring a fleet.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hedgerow_merge::{Checkout, MergeCommit, MergeStrategy};
use hedgerow_sandbox::{Policy, Sandbox};
use hedgerow_worktree::{LocalWorktrees, Seed};

use crate::services::Services;
use crate::{Agent, Fleet, Gate, Result, handoff};

/// Puts a [`Fleet`] together; made by [`Fleet::builder`].
#[derive(Debug)]
#[must_use = "a builder does nothing until it is opened"]
pub struct Builder {
    path: PathBuf,
    lane: Arc<dyn Sandbox>,
    strategy: Arc<dyn MergeStrategy>,
    agents: BTreeMap<String, Arc<dyn Agent>>,
    gate: Option<Arc<dyn Gate>>,
    policy: Policy,
    gate_policy: Policy,
    checkout: Checkout,
    seed: Seed,
    parallel: usize,
}

impl Builder {
    pub(crate) fn new(path: &Path, lane: Arc<dyn Sandbox>) -> Self {
        Self {
            path: path.to_owned(),
            lane,
            strategy: Arc::new(MergeCommit),
            agents: BTreeMap::new(),
            gate: None,
            policy: Policy::standard(),
            gate_policy: Policy::standard(),
            checkout: Checkout::Refuse,
            seed: Seed::environment(),
            parallel: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
        }
    }

    /// What agents and gates must be held to; [`Policy::standard`] by default.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.gate_policy = policy.clone();
        self.policy = policy;
        self
    }

    /// What gates must be held to, when it is not the same as for agents.
    pub fn gate_policy(mut self, policy: Policy) -> Self {
        self.gate_policy = policy;
        self
    }

    /// How changes are brought onto the target; a merge commit by default.
    pub fn strategy(mut self, strategy: impl MergeStrategy) -> Self {
        self.strategy = Arc::new(strategy);
        self
    }

    /// An agent written in Rust, for tasks that name it.
    pub fn agent(mut self, name: impl Into<String>, agent: impl Agent) -> Self {
        self.agents.insert(name.into(), Arc::new(agent));
        self
    }

    /// A gate written in Rust, in place of the plan's.
    pub fn gate(mut self, gate: impl Gate) -> Self {
        self.gate = Some(Arc::new(gate));
        self
    }

    /// What to do when the target is checked out; refuse by default.
    pub fn checkout(mut self, checkout: Checkout) -> Self {
        self.checkout = checkout;
        self
    }

    /// Which untracked files of the main checkout each worktree gets; the usual environment files by default.
    pub fn seed(mut self, seed: Seed) -> Self {
        self.seed = seed;
        self
    }

    /// How many tasks are worked on at once; as many as there are cores by default, and at least one.
    pub fn parallel(mut self, tasks: usize) -> Self {
        self.parallel = tasks.max(1);
        self
    }

    /// Opens the repository, takes its lock, and finds what an earlier fleet left.
    ///
    /// # Errors
    /// [`Error::Held`](crate::Error::Held) when another fleet works on it; else what is wrong with the repository.
    pub async fn open(self) -> Result<Fleet> {
        let path = self.path.clone();
        let open = move || {
            let worktrees = LocalWorktrees::open(&path)?;
            let repository = handoff::repository(&worktrees)?;
            Ok::<_, crate::Error>((worktrees, repository))
        };
        let (worktrees, repository) = handoff::blocking("opening the repository", open).await??;
        let state = worktrees.state_dir().to_owned();
        let services = Services {
            worktrees: Arc::new(worktrees.clone()),
            local: worktrees,
            lane: self.lane,
            repository,
            strategy: self.strategy,
            agents: self.agents,
            gate: self.gate,
            policy: self.policy,
            gate_policy: self.gate_policy,
            checkout: self.checkout,
            seed: self.seed,
            parallel: self.parallel,
        };
        Fleet::start(services, &state).await
    }
}
