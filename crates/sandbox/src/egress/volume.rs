//! How many decisions are told, so that a program that connects or is refused again and again fills nobody's log.

use std::collections::HashSet;
use std::time::{Duration, Instant};

/// After this time, as many more are told.
const WINDOW: Duration = Duration::from_secs(60);

/// What was told in this window, and what was not since something was told last.
#[derive(Debug)]
pub(super) struct Volume {
    refusals: Part,
    allowed: Part,
    /// Where connections were told to go in this window.
    targets: HashSet<(String, u16)>,
}

/// Decisions that were not told since the one that was told last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unheard {
    pub(super) refused: u64,
    pub(super) allowed: u64,
}

#[derive(Debug)]
struct Part {
    most: u32,
    since: Option<Instant>,
    told: u32,
    unheard: u64,
}

impl Part {
    fn new(most: u32) -> Self {
        Self { most, since: None, told: 0, unheard: 0 }
    }

    /// Begins a new window when the last one is over; whether it did.
    fn begin(&mut self, now: Instant) -> bool {
        let over = self.since.is_none_or(|since| now.saturating_duration_since(since) >= WINDOW);
        if over {
            (self.since, self.told) = (Some(now), 0);
        }
        over
    }
}

impl Volume {
    pub(super) fn new(refusals: u32, allowed: u32) -> Self {
        Self { refusals: Part::new(refusals), allowed: Part::new(allowed), targets: HashSet::new() }
    }

    /// Whether a refusal is told: with how many before it that were not.
    pub(super) fn refusal(&mut self, now: Instant) -> Option<Unheard> {
        self.refusals.begin(now);
        if self.refusals.told >= self.refusals.most {
            self.refusals.unheard += 1;
            return None;
        }
        self.refusals.told += 1;
        Some(self.untold())
    }

    /// The same of a connection. The first one to a target is told although there were too many to others, so that none of
    /// them hides it; of such ones, too, there are no more than the limit.
    pub(super) fn allowed(&mut self, now: Instant, target: &(String, u16)) -> Option<Unheard> {
        if self.allowed.begin(now) {
            self.targets.clear();
        }
        let most = usize::try_from(self.allowed.most).unwrap_or(usize::MAX);
        let is_new = self.targets.len() < most && self.targets.insert(target.clone());
        if self.allowed.told < self.allowed.most {
            self.allowed.told += 1;
        } else if !is_new {
            self.allowed.unheard += 1;
            return None;
        }
        Some(self.untold())
    }

    /// Takes back what could not be told.
    pub(super) fn give_back(&mut self, unheard: Unheard) {
        let add = |part: &mut Part, count| part.unheard = part.unheard.saturating_add(count);
        add(&mut self.refusals, unheard.refused);
        add(&mut self.allowed, unheard.allowed);
    }

    /// How many have not been told, which is told now.
    pub(super) fn untold(&mut self) -> Unheard {
        let mut take = |part: fn(&mut Self) -> &mut Part| std::mem::take(&mut part(self).unheard);
        Unheard { refused: take(|volume| &mut volume.refusals), allowed: take(|volume| &mut volume.allowed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_told_in_part_and_counted_whole() {
        let (mut volume, begin) = (Volume::new(3, 0), Instant::now());
        let told: Vec<_> = (0..10_000).map(|_| volume.refusal(begin)).collect();
        assert_eq!(told.iter().flatten().count(), 3);
        let later = begin + WINDOW;
        let refused = |refused| Some(Unheard { refused, allowed: 0 });
        assert_eq!(volume.refusal(later), refused(9_997));
        assert_eq!(volume.refusal(later), refused(0));
        assert_eq!((volume.refusal(later), volume.refusal(later)), (refused(0), None));
        assert_eq!((volume.untold().refused, volume.untold().refused), (1, 0));
    }

    #[test]
    fn a_flood_of_connections_hides_none_to_another_place() {
        let (mut volume, begin) = (Volume::new(3, 3), Instant::now());
        let to = |port| ("a.example".to_owned(), port);
        let told = (0..10_000).filter_map(|_| volume.allowed(begin, &to(1))).count();
        assert_eq!(told, 3);
        assert_eq!(volume.allowed(begin, &to(2)), Some(Unheard { refused: 0, allowed: 9_997 }));
        assert_eq!(volume.allowed(begin, &to(2)), None);
        // Names without end are a flood as well.
        let told = (3..10_000).filter_map(|port| volume.allowed(begin, &to(port))).count();
        assert_eq!(told, 1);
        assert_eq!(volume.allowed(begin + WINDOW, &to(1)), Some(Unheard { refused: 0, allowed: 9_996 }));
    }
}
