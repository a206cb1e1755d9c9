//! Moments that another process understands and no change of the date moves.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::lease;

/// A moment of one boot of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Moment {
    boot: String,
    /// Since that boot, sleep included; none where that could not be told.
    millis: Option<u64>,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { boot: lease::boot(), millis: uptime() }
    }

    /// How long ago it was; none when that cannot be told. What was before the last boot is as old as can be; what seems
    /// to lie ahead is now.
    pub(super) fn age(&self) -> Option<Duration> {
        self.age_at(&Self::now())
    }

    fn age_at(&self, now: &Self) -> Option<Duration> {
        if self.boot != now.boot {
            return Some(Duration::MAX);
        }
        Some(Duration::from_millis(now.millis?.saturating_sub(self.millis?)))
    }
}

fn uptime() -> Option<u64> {
    parse(&std::fs::read_to_string("/proc/uptime").ok()?)
}

fn parse(text: &str) -> Option<u64> {
    let (seconds, rest) = text.split_once('.')?;
    let hundredths: u64 = rest.get(..2)?.parse().ok()?;
    Some(seconds.parse::<u64>().ok()? * 1000 + hundredths * 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uptime_is_read_to_the_hundredth() {
        assert_eq!(parse("11852.07 20011.33\n"), Some(11_852_070));
        assert_eq!(parse(""), None);
        assert!(uptime() > Some(0));
    }

    #[test]
    fn another_boot_is_long_ago_and_a_clock_that_runs_ahead_is_now() {
        let now = Moment::now();
        let other = Moment { boot: "another".into(), ..now.clone() };
        assert_eq!(other.age(), Some(Duration::MAX));
        let ahead = Moment { millis: now.millis.map(|millis| millis + 1_000_000), ..now };
        assert_eq!(ahead.age(), Some(Duration::ZERO));
    }

    #[test]
    fn without_a_clock_nothing_is_said_to_be_now() {
        let now = Moment::now();
        let blind = Moment { millis: None, ..now.clone() };
        assert_eq!((now.age_at(&blind), blind.age_at(&now)), (None, None));
        let old: Moment = serde_json::from_str(r#"{"boot":"a","millis":7}"#).unwrap();
        assert_eq!(old.millis, Some(7), "what another version wrote");
    }
}
