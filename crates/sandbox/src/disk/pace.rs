//! When a walk is worth what it costs.

use std::time::{Duration, Instant};

use super::tally::Tally;

/// Of this many parts of the time, at most one is spent walking.
const SHARE: u32 = 20;
/// The same while nothing points to the limit: somebody may free what the command takes.
const QUIET_SHARE: u32 = 100;
/// Never walks more often than this without cause.
const QUIET: Duration = Duration::from_secs(5);

/// What is known between two walks.
#[derive(Debug)]
pub(super) struct Pace {
    limit: Tally,
    /// Growth, as the last walk found it.
    growth: Tally,
    /// What was taken from the file systems since then, by whomever.
    taken: Tally,
    /// The same since the beginning.
    taken_in_all: Tally,
    looked: Instant,
    cost: Duration,
}

impl Pace {
    pub(super) fn new(limit: Tally, now: Instant, cost: Duration) -> Self {
        let none = Tally::default();
        Self { limit, growth: none, taken: none, taken_in_all: none, looked: now, cost }
    }

    /// Notes what was taken from the file systems.
    pub(super) fn written(&mut self, taken: Tally) {
        self.taken += taken;
        self.taken_in_all += taken;
    }

    /// Whether to walk now.
    pub(super) fn due(&self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.looked);
        let suspicious = (self.growth + self.taken).exceeds(self.limit);
        suspicious && since >= self.cost * SHARE || since >= QUIET.max(self.cost * QUIET_SHARE)
    }

    /// Notes what a walk found; whether it is too much.
    pub(super) fn looked(&mut self, growth: Tally, now: Instant, cost: Duration) -> bool {
        (self.growth, self.looked, self.cost, self.taken) = (growth, now, cost, Tally::default());
        // Where it made places that cannot be looked into, and more than its limit is gone, that is where it went.
        growth.exceeds(self.limit) || growth.hidden > 0 && self.taken_in_all.exceeds(self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(bytes: u64) -> Tally {
        Tally { bytes, ..Tally::default() }
    }

    fn pace(now: Instant) -> Pace {
        Pace::new(Tally::limit(1000), now, Duration::from_millis(10))
    }

    #[test]
    fn a_file_system_that_others_fill_costs_a_walk_now_and_then_and_nobody_dies_of_it() {
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        let mut pace = pace(start);
        pace.written(bytes(900));
        assert!(!pace.due(after(4000)), "less than the limit is gone");
        pace.written(bytes(200));
        assert!(!pace.due(after(199)), "the last walk was too near");
        assert!(pace.due(after(200)));
        assert!(!pace.looked(bytes(0), after(210), Duration::from_millis(10)), "it was somebody else");
        assert!(!pace.due(after(4000)));
    }

    #[test]
    fn growth_that_was_found_counts_towards_the_next_walk() {
        let start = Instant::now();
        let mut pace = pace(start);
        assert!(!pace.looked(bytes(800), start, Duration::ZERO));
        pace.written(bytes(300));
        assert!(pace.due(start));
        assert!(pace.looked(bytes(1001), start, Duration::ZERO));
    }

    #[test]
    fn a_tree_that_takes_long_to_walk_is_walked_seldom() {
        let start = Instant::now();
        let mut pace = pace(start);
        pace.looked(bytes(0), start, Duration::from_secs(1));
        assert!(!pace.due(start + Duration::from_secs(99)));
        assert!(pace.due(start + Duration::from_secs(100)));
        pace.written(bytes(5000));
        assert!(!pace.due(start + Duration::from_secs(19)));
        assert!(pace.due(start + Duration::from_secs(20)));
    }

    #[test]
    fn a_place_that_cannot_be_looked_into_is_where_it_went_when_it_is_gone() {
        let now = Instant::now();
        let hidden = Tally { hidden: 1, ..Tally::default() };
        let mut pace = pace(now);
        assert!(!pace.looked(hidden, now, Duration::ZERO), "a test of permissions makes such a place, too");
        pace.written(bytes(1001));
        assert!(pace.looked(hidden, now, Duration::ZERO));
    }
}
