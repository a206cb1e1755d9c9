//! The engine's notation of points in time.

use std::time::Duration;

/// How long something took that began and ended then, as RFC 3339 in UTC tells it; none if either is no such time.
pub(super) fn between(began: &str, ended: &str) -> Option<Duration> {
    since_epoch(ended)?.checked_sub(since_epoch(began)?)
}

/// The time since the beginning of 1970.
pub(super) fn since_epoch(text: &str) -> Option<Duration> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(str::parse::<u64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut clock = clock.splitn(3, ':').map(str::parse::<u64>);
    let (hour, minute, second) = (clock.next()?.ok()?, clock.next()?.ok()?, clock.next()?.ok()?);
    // The engine writes the year 1 for what has not happened.
    if year < 1970 || !(1..=12).contains(&month) || fraction.len() > 9 {
        return None;
    }
    // Years begin in March here, so that the leap day is their last.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day;
    let seconds = days.checked_sub(EPOCH)? * 86_400 + hour * 3600 + minute * 60 + second;
    let scale = 10_u32.pow(9 - u32::try_from(fraction.len()).ok()?);
    Some(Duration::new(seconds, fraction.parse::<u32>().ok()?.checked_mul(scale)?))
}

/// The first of January 1970 in the count of days above.
const EPOCH: u64 = 719_469;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_come_out_right() {
        let at = |text| since_epoch(text).map(|d| d.as_secs());
        assert_eq!(at("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(at("2000-02-29T12:00:00Z"), Some(951_825_600));
        assert_eq!(at("2024-12-31T23:59:59.999999999Z"), Some(1_735_689_599));
        assert_eq!(at("0001-01-01T00:00:00Z"), None);
        assert_eq!(at("yesterday"), None);
    }

    #[test]
    fn fractions_of_any_length_count() {
        let took = between("2024-03-01T00:00:00.5Z", "2024-03-01T00:00:01.123456789Z");
        assert_eq!(took, Some(Duration::new(0, 623_456_789)));
        assert_eq!(between("2024-03-01T00:00:01Z", "2024-03-01T00:00:00Z"), None);
    }
}
