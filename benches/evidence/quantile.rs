//! Shares of what was measured.

use std::time::Duration;

/// The value that a share of all is at most; they must be in order.
pub(crate) fn at(sorted: &[Duration], share: f64) -> Duration {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a length is an index"
    )]
    let index = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
    sorted.get(index).copied().unwrap_or_default()
}

/// All of them in order.
pub(crate) fn sorted(times: impl IntoIterator<Item = Duration>) -> Vec<Duration> {
    let mut times: Vec<_> = times.into_iter().collect();
    times.sort();
    times
}

/// Milliseconds for a table.
pub(crate) fn ms(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1000.0)
}

/// The median, p90, p99 and the worst, in milliseconds.
pub(crate) fn row(times: impl IntoIterator<Item = Duration>) -> [String; 4] {
    let sorted = sorted(times);
    [0.5, 0.9, 0.99, 1.0].map(|share| ms(at(&sorted, share)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_of_the_values_in_order() {
        let times = sorted([5, 1, 4, 2, 3].map(Duration::from_millis));
        assert_eq!([0.0, 0.5, 1.0].map(|share| at(&times, share).as_millis()), [1, 3, 5]);
        assert_eq!(at(&[], 0.5), Duration::ZERO);
        assert_eq!(row([Duration::from_micros(1500)]), ["1.50"; 4].map(String::from));
    }
}
