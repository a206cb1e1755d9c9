//! What was seen of all faults of one kind.

use serde::{Deserialize, Serialize};

/// The columns of the table.
pub(super) const COLUMNS: [&str; 12] = [
    "fault",
    "faults",
    "landed by then",
    "between",
    "retries that fail",
    "verifications that fail",
    "fsck complaints",
    "logs without the landing",
    "lost commits",
    "doubled landings",
    "locks and files left",
    "programs run",
];

/// Counts; but for the first two, the bar of each is zero.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) faults: usize,
    pub(super) landed: usize,
    pub(super) between: usize,
    pub(super) retries: usize,
    pub(super) unproven: usize,
    pub(super) damaged: usize,
    pub(super) unlogged: usize,
    pub(super) lost: usize,
    pub(super) doubled: usize,
    pub(super) left: usize,
    pub(super) ran: usize,
    /// What was wrong, in words.
    pub(super) said: Vec<String>,
}

impl Tally {
    fn bars(&self) -> [usize; 9] {
        [
            self.between,
            self.retries,
            self.unproven,
            self.damaged,
            self.unlogged,
            self.lost,
            self.doubled,
            self.left,
            self.ran,
        ]
    }

    pub(super) fn row(&self, name: &str) -> Vec<String> {
        let counts = [self.faults, self.landed].into_iter().chain(self.bars());
        std::iter::once(name.to_owned()).chain(counts.map(|n| n.to_string())).collect()
    }

    pub(super) fn missed(&self, name: &str) -> Vec<String> {
        let mut missed: Vec<_> = COLUMNS[3..]
            .iter()
            .zip(self.bars())
            .filter(|(_, n)| *n > 0)
            .map(|(what, n)| format!("{name}: {what}: {n}"))
            .collect();
        missed.extend(self.said.iter().take(5).map(|said| format!("{name}: {said}")));
        if self.faults == 0 {
            missed.push(format!("{name}: no fault came about"));
        }
        missed
    }
}
