//! What a queue is told once.

use serde::{Deserialize, Serialize};

use super::Digest;

/// What is known of the commits that land.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Guarantee {
    /// The tree of every commit that the target ever names, and of every commit between, passed the gate.
    EveryCommit,
    /// The tree of every commit that the target ever names passed. Commits below it, that landed with it, may not have.
    ///
    /// This is what allows batches.
    HeadGreen,
    /// Every change passed together with all changes that it is related to, by paths, scopes or declarations.
    ///
    /// This is not sound in general: changes that seem unrelated may still break each other.
    Scoped,
}

/// Which gate, in which environment: verdicts of another one do not count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GateKey {
    /// What the gate runs.
    pub gate: Digest,
    /// What it runs in.
    pub environment: Digest,
}

/// How a queue works.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Config {
    /// What must be known of what lands.
    pub guarantee: Guarantee,
    /// The gate that decides.
    pub gate: GateKey,
    /// How many gates may run at once. None is taken as one.
    pub slots: u32,
    /// The least likelihood, in thousandths, that a gate's verdict is needed, for which a free slot is spent on it.
    ///
    /// Less makes waits shorter and costs more runs.
    pub thrift: u32,
    /// How many verdicts are remembered, and of how many groups of variants which one landed. A variant that comes when its
    /// group is forgotten is a change like any other.
    pub memory: usize,
}

impl Config {
    /// A queue with a guarantee, a gate and so many gates at once.
    pub fn new(guarantee: Guarantee, gate: GateKey, slots: u32) -> Self {
        Self { guarantee, gate, slots, thrift: 20, memory: 10_000 }
    }

    pub(super) fn budget(&self) -> usize {
        usize::try_from(self.slots.max(1)).unwrap_or(usize::MAX)
    }
}
