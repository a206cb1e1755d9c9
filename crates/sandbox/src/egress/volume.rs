//! How many refusals are told, so that a program that is refused again and again fills nobody's log.

use std::time::{Duration, Instant};

/// After this time, as many more are told.
const WINDOW: Duration = Duration::from_secs(60);

/// What was told in this window, and what was not since something was told last.
#[derive(Debug)]
pub(super) struct Volume {
    most: u32,
    since: Option<Instant>,
    told: u32,
    unheard: u64,
}

impl Volume {
    pub(super) fn new(most: u32) -> Self {
        Self { most, since: None, told: 0, unheard: 0 }
    }

    /// Whether a refusal is told: with how many before it that were not.
    pub(super) fn refusal(&mut self, now: Instant) -> Option<u64> {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= WINDOW) {
            (self.since, self.told) = (Some(now), 0);
        }
        if self.told >= self.most {
            self.unheard += 1;
            return None;
        }
        self.told += 1;
        Some(self.untold())
    }

    /// How many have not been told, which is told now.
    pub(super) fn untold(&mut self) -> u64 {
        std::mem::take(&mut self.unheard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_told_in_part_and_counted_whole() {
        let (mut volume, begin) = (Volume::new(3), Instant::now());
        let told: Vec<_> = (0..10_000).map(|_| volume.refusal(begin)).collect();
        assert_eq!(told.iter().flatten().count(), 3);
        let later = begin + WINDOW;
        assert_eq!(volume.refusal(later), Some(9_997));
        assert_eq!(volume.refusal(later), Some(0));
        assert_eq!((volume.refusal(later), volume.refusal(later)), (Some(0), None));
        assert_eq!((volume.untold(), volume.untold()), (1, 0));
    }
}
