//! How often changes fail and gates are flaky, as measured.
//!
//! Only counts are kept, so that equal histories give equal queues; likelihoods are computed when they are needed.

use serde::{Deserialize, Serialize};

use super::Submission;

/// At so many observations the older half of them is forgotten.
const MEMORY: u32 = 400;
/// The same for second looks: flakes are rare, and it takes more to know how rare.
const LOOKS: u32 = 2_000;
/// How many observations an opinion from before any observation is worth.
const PRIOR: f64 = 8.0;
/// A verdict stands when it is a flake with less than this likelihood.
const SURE: f64 = 0.002;
/// One in so many verdicts is looked at again however sure it seems, because gates change.
const SAMPLE: u32 = 16;

/// How many of some observations were of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Count {
    hits: u32,
    all: u32,
}

impl Count {
    fn note(&mut self, hit: u32, memory: u32) {
        if self.all >= memory {
            (self.hits, self.all) = (self.hits / 2, self.all / 2);
        }
        (self.hits, self.all) = (self.hits + hit, self.all + 1);
    }

    fn share(self, prior: f64) -> f64 {
        (f64::from(self.hits) + prior * PRIOR) / (f64::from(self.all) + PRIOR)
    }
}

/// What kind of evidence there was for a change when it was enqueued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) enum Class {
    /// A gate had passed on its own tree.
    Certified,
    /// Somebody said how likely it is to pass, in tenths.
    Said(u8),
    Plain,
}

impl Class {
    pub(super) fn of(submission: &Submission, counts: bool) -> Self {
        match submission.likelihood {
            _ if counts => Self::Certified,
            Some(percent) => Self::Said(percent.min(99) / 10),
            None => Self::Plain,
        }
    }
}

/// All that is measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Rates {
    certified: Count,
    plain: Count,
    said: [Count; 10],
    /// Second looks at a failure, and how many of them passed.
    flakes: Count,
    /// First failures, ever.
    failures: u32,
}

impl Rates {
    /// The likelihood that a change of a class passes.
    pub(super) fn chance(&self, class: Class) -> f64 {
        let share = match class {
            Class::Certified => self.certified.share(0.97),
            Class::Plain => self.plain.share(0.9),
            Class::Said(tenth) => {
                let count = self.said.get(usize::from(tenth)).copied().unwrap_or_default();
                count.share(f64::from(tenth) / 10.0 + 0.05)
            }
        };
        share.clamp(0.02, 0.999)
    }

    /// Notes that a change landed.
    pub(super) fn good(&mut self, class: Class) {
        self.note(class, 1);
    }

    /// Notes that a change was rejected for what its gate said.
    pub(super) fn bad(&mut self, class: Class) {
        self.note(class, 0);
    }

    fn note(&mut self, class: Class, hit: u32) {
        match class {
            Class::Certified => self.certified.note(hit, MEMORY),
            Class::Plain => self.plain.note(hit, MEMORY),
            Class::Said(tenth) => {
                if let Some(count) = self.said.get_mut(usize::from(tenth)) {
                    count.note(hit, MEMORY);
                }
            }
        }
    }

    /// The likelihood that a tree which failed so many times and never passed is good.
    pub(super) fn flake(&self, failed: u32) -> f64 {
        let first = self.flakes.share(1.0 / PRIOR);
        let again = first * (1.0 - self.chance(Class::Plain));
        first * again.powi(i32::try_from(failed.saturating_sub(1)).unwrap_or(i32::MAX))
    }

    /// Whether a tree that failed so many times shall be looked at once more; to be asked once per failure.
    pub(super) fn doubts(&mut self, failed: u32) -> bool {
        if failed == 1 {
            self.failures = self.failures.wrapping_add(1);
        }
        let sampled = failed == 1 && self.failures.is_multiple_of(SAMPLE);
        sampled || self.flake(failed) >= SURE
    }

    /// Notes what a second look at a failed tree said.
    pub(super) fn looked_again(&mut self, passed: bool) {
        self.flakes.note(u32::from(passed), LOOKS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_outweighs_what_was_said() {
        let mut rates = Rates::default();
        assert!(rates.chance(Class::Said(9)) > 0.9);
        (0..100).for_each(|_| rates.bad(Class::Said(9)));
        assert!(rates.chance(Class::Said(9)) < 0.15);
        assert!(rates.chance(Class::Said(8)) > 0.8, "the others are not touched");
    }

    #[test]
    fn a_change_of_the_rate_is_followed() {
        let mut rates = Rates::default();
        (0..10_000).for_each(|_| rates.good(Class::Plain));
        (0..MEMORY).for_each(|_| rates.bad(Class::Plain));
        assert!(rates.chance(Class::Plain) < 0.5);
    }

    #[test]
    fn a_gate_that_never_flaked_is_believed_at_once_and_a_flaky_one_is_asked_again() {
        let mut solid = Rates::default();
        assert!(solid.doubts(1), "nothing is known yet");
        (0..1000).for_each(|_| solid.looked_again(false));
        assert!(!solid.doubts(1));
        let mut flaky = Rates::default();
        (0..100).for_each(|n| flaky.looked_again(n % 2 == 0));
        assert!(flaky.doubts(1) && flaky.doubts(2));
        assert!(!flaky.doubts(5), "there is an end to it");
    }
}
