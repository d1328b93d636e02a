//! Time as values: wall time for what is recorded or shown, monotonic time for intervals and latencies.
//!
//! Nothing here reads a clock; `crate::clock` does, once per event. The two kinds are different types so that they cannot be
//! subtracted from each other.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted. For records and for people, never for measuring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// This time as RFC 3339 in UTC with whole seconds, `2026-06-30T10:23:00Z`; out-of-range values print as the nearest limit.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let seconds = self.0.div_euclid(1000);
        let stamp = jiff::Timestamp::from_second(seconds).unwrap_or(if seconds < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX });
        stamp.to_string()
    }

    /// How much later `self` is than `earlier`; zero when it is not later (a clock may have been set back).
    #[must_use]
    pub fn since(self, earlier: UnixMillis) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// `self` moved back by `by`.
    #[must_use]
    pub fn minus(self, by: Duration) -> UnixMillis {
        UnixMillis(self.0.saturating_sub(millis_i64(by)))
    }
}

impl Add<Duration> for UnixMillis {
    type Output = UnixMillis;

    fn add(self, by: Duration) -> UnixMillis {
        UnixMillis(self.0.saturating_add(millis_i64(by)))
    }
}

fn millis_i64(by: Duration) -> i64 {
    i64::try_from(by.as_millis()).unwrap_or(i64::MAX)
}

/// Microseconds since boot, suspend included (`CLOCK_BOOTTIME`). Only differences mean anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mono(pub u64);

impl Mono {
    /// How much later `self` is than `earlier`; zero when it is not later.
    #[must_use]
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Mono {
    type Output = Mono;

    fn add(self, by: Duration) -> Mono {
        Mono(self.0.saturating_add(u64::try_from(by.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// One reading of both clocks, taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// What the wall clock says.
    pub wall: UnixMillis,
    /// What the monotonic clock says.
    pub mono: Mono,
}

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration; write a number with a unit, such as `500ms`, `30s`, `1h30m` or `7d`")]
pub struct BadDuration(pub String);

/// Units of duration texts, longest first, with their milliseconds. A year is 365 days, a week 7: calendars do not enter.
const UNITS: [(&str, u64); 7] =
    [("y", 31_536_000_000), ("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Reads `30s`, `1h30m`, `1d`, `500ms`, `0s`. Units must fall in size and none may stand twice; a bare number is refused
/// because nobody remembers which unit it would be.
///
/// # Errors
/// [`BadDuration`] with the text when it has another shape or overflows.
pub fn parse_duration(text: &str) -> Result<Duration, BadDuration> {
    let bad = || BadDuration(text.to_owned());
    let mut rest = text.trim();
    let mut total: u64 = 0;
    let mut next_unit = 0;
    if rest.is_empty() {
        return Err(bad());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let number: u64 = rest[..digits].parse().map_err(|_| bad())?;
        let after = &rest[digits..];
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let position = UNITS.iter().position(|(unit, _)| *unit == &after[..letters]).ok_or_else(bad)?;
        if position < next_unit {
            return Err(bad());
        }
        next_unit = position + 1;
        total = number.checked_mul(UNITS[position].1).and_then(|ms| total.checked_add(ms)).ok_or_else(bad)?;
        rest = &after[letters..];
    }
    Ok(Duration::from_millis(total))
}

/// A duration as the text that [`parse_duration`] reads, in as few units as it takes; parts below a millisecond are cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurationText(pub Duration);

impl fmt::Display for DurationText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if left == 0 {
            return f.write_str("0s");
        }
        // Years and weeks are read but not written: `90d` is easier to compare than `12w6d`.
        for (unit, ms) in &UNITS[2..] {
            if left >= *ms {
                write!(f, "{}{unit}", left / ms)?;
                left %= ms;
            }
        }
        Ok(())
    }
}

/// A duration for a sentence: at most two units, spelled so that a glance is enough: `3 min`, `1 h 20 min`, `340 ms`, `2.4 s`.
#[must_use]
pub fn spoken(duration: Duration) -> String {
    let ms = duration.as_millis();
    let secs = duration.as_secs();
    match secs {
        0 if duration.is_zero() => "0 ms".to_owned(),
        // Short times are told apart by their tenths: on a local network they are all there is.
        0 if ms < 10 => format!("{}.{} ms", ms, duration.subsec_micros() % 1000 / 100),
        0 => format!("{ms} ms"),
        1..=9 => format!("{}.{} s", secs, (ms % 1000) / 100),
        10..=59 => format!("{secs} s"),
        60..=3599 => two(secs / 60, "min", secs % 60, "s"),
        3600..=86_399 => two(secs / 3600, "h", secs % 3600 / 60, "min"),
        _ => two(secs / 86_400, "d", secs % 86_400 / 3600, "h"),
    }
}

fn two(big: u64, big_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 { format!("{big} {big_unit}") } else { format!("{big} {big_unit} {small} {small_unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_round_trip_and_bad_ones_are_refused() {
        for text in ["30s", "1h30m", "1d", "500ms", "90d", "1m1ms", "0s"] {
            assert_eq!(DurationText(parse_duration(text).expect(text)).to_string(), text);
        }
        assert_eq!(parse_duration("2y").expect("years").as_secs(), 2 * 365 * 86_400);
        for text in ["", "30", "s", "1x", "30 s", "1m1h", "1m1m", "-1s", "99999999999999999999s", "99999999999999y"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn spoken_durations_have_at_most_two_units() {
        for (ms, text) in [
            (0, "0 ms"),
            (7, "7.0 ms"),
            (340, "340 ms"),
            (2400, "2.4 s"),
            (59_900, "59 s"),
            (180_000, "3 min"),
            (4_800_000, "1 h 20 min"),
            (93_600_000, "1 d 2 h"),
        ] {
            assert_eq!(spoken(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn wall_time_prints_as_rfc_3339() {
        assert_eq!(UnixMillis(1_782_814_980_999).rfc3339(), "2026-06-30T10:23:00Z");
        assert_eq!(UnixMillis(5).since(UnixMillis(9)), Duration::ZERO);
    }
}
