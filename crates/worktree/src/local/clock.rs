//! Moments that another process understands and no change of the date moves.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::lease;

/// A moment of one boot of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Moment {
    boot: String,
    /// Since that boot, sleep included.
    millis: u64,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { boot: lease::boot(), millis: uptime() }
    }

    /// How long ago it was. What was before the last boot is as old as can be; what seems to lie ahead is now.
    pub(super) fn age(&self) -> Duration {
        let now = Self::now();
        if self.boot == now.boot {
            Duration::from_millis(now.millis.saturating_sub(self.millis))
        } else {
            Duration::MAX
        }
    }
}

/// Zero where it cannot be told.
fn uptime() -> u64 {
    let text = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    parse(&text).unwrap_or(0)
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
        assert!(uptime() > 0);
    }

    #[test]
    fn another_boot_is_long_ago_and_a_clock_that_runs_ahead_is_now() {
        let now = Moment::now();
        let other = Moment { boot: "another".into(), ..now.clone() };
        assert_eq!(other.age(), Duration::MAX);
        let ahead = Moment { millis: now.millis + 1_000_000, ..now };
        assert_eq!(ahead.age(), Duration::ZERO);
    }
}
