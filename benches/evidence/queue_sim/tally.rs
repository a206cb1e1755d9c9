//! What became of the changes of one simulation.

use super::truth::{Change, GATE};

/// What one queue did with one field.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) runs: u64,
    /// How long gates ran, in sum.
    pub(super) busy: u64,
    /// Waits of what landed, in ticks.
    pub(super) waits: Vec<u64>,
    pub(super) rejected: u64,
    /// Rejected although it goes with all that landed before it.
    pub(super) wrong: u64,
    /// Commits of the target with a bad tree.
    pub(super) escapes: u64,
    /// Breaking pairs, and how many were named as what they are.
    pub(super) pairs: u64,
    pub(super) named: u64,
    /// Changes without an end.
    pub(super) open: usize,
}

impl Tally {
    pub(super) fn run(&mut self, takes: u64) {
        (self.runs, self.busy) = (self.runs + 1, self.busy + takes);
    }

    /// How long gates ran for each landing, in times of a gate.
    pub(super) fn busy_per_landing(&self) -> f64 {
        gates(self.busy) / count(self.waits.len())
    }

    pub(super) fn land(&mut self, change: &Change, now: u64) {
        self.waits.push(now - change.arrives);
    }

    /// A share of the waits, in times of a gate.
    pub(super) fn wait(&mut self, percent: usize) -> f64 {
        if self.waits.is_empty() {
            return f64::NAN;
        }
        self.waits.sort_unstable();
        gates(self.waits[(self.waits.len() - 1) * percent / 100])
    }

    pub(super) fn mean(&self) -> f64 {
        gates(self.waits.iter().sum()) / gates(GATE) / count(self.waits.len())
    }

    pub(super) fn per_landing(&self) -> f64 {
        gates(self.runs * GATE) / count(self.waits.len())
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn gates(ticks: u64) -> f64 {
    ticks as f64 / GATE as f64
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn count(of: usize) -> f64 {
    of as f64
}
