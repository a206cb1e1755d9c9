//! What a suite found in a lane.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Category, Control, Expected, Seen, Verdict};
use crate::{Coverage, Guarantee};

/// What each probe does without a sandbox, by its id.
pub type Controls = BTreeMap<String, Control>;

/// What a suite found in one lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// The name of the lane.
    pub lane: String,
    /// One row for each probe.
    pub rows: Vec<Row>,
}

/// What became of one probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Row {
    /// Its id.
    pub id: String,
    /// What it is after.
    pub category: Category,
    /// What it tries, in words.
    pub tries: String,
    /// The guarantee that it attacks; none for what must work.
    pub attacks: Option<Guarantee>,
    /// How well the lane says that it keeps that guarantee.
    pub coverage: Option<Coverage>,
    /// What must become of it where the guarantee is kept.
    pub expected: Expected,
    /// What it does without a sandbox.
    pub control: Control,
    /// What became of it.
    pub seen: Seen,
    /// What that means.
    pub verdict: Verdict,
}

impl Report {
    /// The rows that are not as the lane promises. Empty is what everybody wants.
    pub fn unexpected(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.verdict == Verdict::Unexpected)
    }

    /// Whether nothing unexpected was seen, and something was proven.
    pub fn passed(&self) -> bool {
        self.unexpected().next().is_none() && self.count(Verdict::Held) > 0
    }

    /// How many rows have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.rows.iter().filter(|row| row.verdict == verdict).count()
    }

    /// How many probes got through. The lower, the better.
    pub fn through(&self) -> usize {
        self.rows.iter().filter(|row| row.seen == Seen::Through).count()
    }
}

/// The counts, and every row that is unexpected.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [held, open, nothing, not_run, unexpected] =
            [Verdict::Held, Verdict::Open, Verdict::ProvesNothing, Verdict::NotRun, Verdict::Unexpected]
                .map(|verdict| self.count(verdict));
        write!(
            f,
            "{} lane: {} probes, {held} held, {open} open, {nothing} prove nothing here, {not_run} not run, {unexpected} unexpected",
            self.lane,
            self.rows.len()
        )?;
        for row in self.unexpected() {
            let Row { id, tries, seen, expected, control, .. } = row;
            write!(f, "\n  {id} ({tries}): {seen}; must be {expected}; without a sandbox: {control}")?;
        }
        Ok(())
    }
}
