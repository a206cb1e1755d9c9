//! A change in the queue.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::id::Seq;
use super::rates::Class;
use super::{Submission, Tip};

/// Where a change is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Place {
    /// Something that it needs has not even begun.
    Blocked,
    /// It may begin.
    Waiting,
    /// Candidates are made of it.
    Line,
    /// It fails, and so does the target alone.
    Held,
    /// It failed on the target, and nobody waits for it while that is looked into.
    Blamed(Blame),
}

/// A failure on the target, which is looked at again, and then the search for the landing that the change does not go with.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Blame {
    /// After so many landings it still passed, if that is known.
    pub(super) good: Option<u64>,
    /// After so many it failed.
    pub(super) bad: u64,
    /// What failed.
    pub(super) failed: Tip,
}

/// The order of what waits, the smallest first: a due date in sixteenths of a landing.
///
/// Because it is fixed when a change is admitted, and later changes get later ones, nothing waits for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Rank(i64);

impl Rank {
    /// The place of a change that is enqueued after so many landings, is related to so many and passes with a likelihood.
    pub(super) fn new(submission: &Submission, landings: u64, degree: usize, chance: f64) -> Self {
        let now = i64::try_from(landings).unwrap_or(i64::MAX / 64).saturating_mul(16);
        let important = i64::from(submission.priority).saturating_mul(8 * 16);
        let large = i64::from(submission.footprint.lines.max(1).ilog2());
        let crowded = i64::try_from(degree.min(16)).unwrap_or(16);
        #[expect(clippy::cast_possible_truncation, reason = "between 0 and 32")]
        let unlikely = ((1.0 - chance) * 32.0) as i64;
        Self(now.saturating_sub(important).saturating_add(large + crowded + unlikely))
    }
}

/// A change in the queue, and what is known of it besides verdicts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) submission: Submission,
    pub(super) class: Class,
    pub(super) rank: Rank,
    pub(super) place: Place,
    /// The changes in the queue that must land before it.
    pub(super) needs: BTreeSet<Seq>,
    /// The changes that landed since it is here and that it is related to.
    pub(super) under: BTreeSet<Seq>,
    /// It passed on the target as it was after so many landings.
    pub(super) good_at: Option<u64>,
    /// It failed on something that is good, if only not yet on the target.
    pub(super) suspect: bool,
    /// Under the guarantee by scopes: on top of which related changes it was tried, and as which candidate.
    pub(super) tried: Vec<(Vec<Seq>, Tip)>,
}

impl Entry {
    /// The related changes that landed below it.
    pub(super) fn landed_below(&self) -> Vec<Seq> {
        self.under.iter().copied().collect()
    }

    /// The candidate as which it was tried on top of exactly these related changes.
    pub(super) fn tried_on(&self, below: &[Seq]) -> Option<&Tip> {
        self.tried.iter().find(|(tried, _)| tried == below).map(|(_, tip)| tip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CommitId;
    use crate::queue::{ChangeId, TreeId};

    fn rank(priority: i32, lines: u32, landings: u64, chance: f64) -> Rank {
        let id = CommitId::new("0".repeat(40)).unwrap();
        let mut submission = Submission::new(ChangeId::new("a"), id.clone(), TreeId::new("t"), id);
        submission.priority = priority;
        submission.footprint.lines = lines;
        Rank::new(&submission, landings, 0, chance)
    }

    #[test]
    fn small_likely_and_important_changes_come_first() {
        assert!(rank(0, 10, 0, 0.9) < rank(0, 10_000, 0, 0.9));
        assert!(rank(0, 10, 0, 0.9) < rank(0, 10, 0, 0.2));
        assert!(rank(1, 10_000, 0, 0.2) < rank(0, 10, 0, 0.9));
    }

    #[test]
    fn who_waited_long_enough_comes_before_anything_new() {
        assert!(rank(0, u32::MAX, 0, 0.0) < rank(0, 1, 5, 1.0));
        assert!(rank(0, 1, 0, 0.9) < rank(3, 1, 25, 0.9));
    }
}
