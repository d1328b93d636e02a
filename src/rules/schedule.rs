//! When a check is due: spread so that nothing bursts, and exact so that nothing drifts.
//!
//! All times are monotonic. A monitor's place in its interval comes from a hash of its id, so that it is the same after every
//! restart; checks that are late are skipped, not queued.

use std::time::Duration;

use crate::model::id::MonitorId;
use crate::model::time::Mono;
use crate::model::time::Now;

/// After a start, a reload or a long stall, everything is checked once within this time.
pub const SPREAD_MAX: Duration = Duration::from_secs(10);

/// A monitor's place between 0 (inclusive) and 1 (exclusive), stable for ever.
#[must_use]
pub fn place(monitor: &MonitorId) -> f64 {
    let digest = ring::digest::digest(&ring::digest::SHA256, monitor.as_str().as_bytes());
    let head = digest.as_ref().iter().take(6).fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    // 48 bits fit a double exactly.
    head as f64 / (1_u64 << 48) as f64
}

/// The first check after `now`.
#[must_use]
pub fn first(monitor: &MonitorId, interval: Duration, now: Mono) -> Mono {
    now + interval.min(SPREAD_MAX).mul_f64(place(monitor))
}

/// Two checks this close say the same thing twice.
const GAP_MIN: Duration = Duration::from_secs(1);

/// The grid of regular checks: the monitor's place in its interval, at the first such moment after `after`. The first two checks
/// may therefore be closer than an interval, and never further apart than it (but for [`GAP_MIN`]).
#[must_use]
pub fn regular(monitor: &MonitorId, interval: Duration, after: Mono) -> Mono {
    let length = micros(interval).max(1);
    let offset = micros(interval.mul_f64(place(monitor)));
    let earliest = after.0 + micros(GAP_MIN.min(interval / 2));
    let behind = (earliest + length - offset % length) % length;
    Mono(if behind == 0 { earliest } else { earliest + length - behind })
}

/// As [`regular`], on a grid that all nodes share: it follows the wall clock, and each of `n` nodes has its own place `i` of `n` within
/// the interval, so that three nodes at a minute look every twenty seconds. Clocks that differ only make the spread uneven.
#[must_use]
pub fn staggered(monitor: &MonitorId, interval: Duration, after: Mono, now: Now, (i, n): (usize, usize)) -> Mono {
    let length = i128::from(micros(interval).max(1));
    let ahead = i128::from(now.wall.0) * 1000 - i128::from(now.mono.0);
    let share = i128::try_from(i).unwrap_or(0) * length / i128::try_from(n.max(1)).unwrap_or(1);
    let offset = i128::from(micros(interval.mul_f64(place(monitor)))) + share;
    let earliest = i128::from(after.0) + i128::from(micros(GAP_MIN.min(interval / 2)));
    let behind = (earliest + ahead - offset).rem_euclid(length);
    let at = if behind == 0 { earliest } else { earliest + length - behind };
    Mono(u64::try_from(at).unwrap_or(after.0))
}

/// The next moment of the grid after a check that was due at `due`, later than `now`; moments that passed meanwhile are skipped.
#[must_use]
pub fn next(due: Mono, interval: Duration, now: Mono) -> Mono {
    let length = micros(interval).max(1);
    let missed = now.0.saturating_sub(due.0) / length;
    Mono(due.0 + (missed + 1) * length)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::UnixMillis;

    fn ids(n: usize) -> Vec<MonitorId> {
        (0..n).map(|i| MonitorId::parse(&format!("m{i}")).expect("an id")).collect()
    }

    #[test]
    fn a_thousand_first_checks_are_spread_over_ten_seconds() {
        let now = Mono(5_000_000);
        let mut per_second = [0_u32; 10];
        for id in ids(1000) {
            let at = first(&id, Duration::from_secs(60), now);
            per_second[usize::try_from(at.since(now).as_secs()).expect("small")] += 1;
        }
        assert!(per_second.iter().all(|n| (60..150).contains(n)), "{per_second:?}");
    }

    #[test]
    fn the_grid_begins_within_an_interval_and_never_drifts() {
        let interval = Duration::from_secs(60);
        for id in ids(200) {
            let start = Mono(123_456_789);
            let one = first(&id, interval, start);
            let two = regular(&id, interval, one);
            assert!(two.since(one) >= GAP_MIN && two.since(one) <= interval + GAP_MIN, "{id}");
            let three = next(two, interval, two + Duration::from_millis(3));
            assert_eq!(three, two + interval);
            assert_eq!(regular(&id, interval, one), regular(&id, interval, one + Duration::from_micros(0)));
        }
    }

    #[test]
    fn late_checks_are_skipped_not_queued() {
        let due = Mono(1_000_000);
        let second = Duration::from_secs(1);
        assert_eq!(next(due, second, Mono(1_000_000)), Mono(2_000_000));
        assert_eq!(next(due, second, Mono(5_400_000)), Mono(6_000_000));
        assert_eq!(next(due, second, Mono(6_000_000)), Mono(7_000_000));
    }

    #[test]
    fn nodes_look_one_after_the_other_whenever_they_started() {
        let id = MonitorId::parse("api").expect("an id");
        let interval = Duration::from_secs(60);
        let wall = UnixMillis(1_800_000_000_000);
        let moments = [(0_usize, 5_000_000_u64), (1, 77_000_000), (2, 123_456_789)].map(|(i, mono)| {
            let now = Now { wall, mono: Mono(mono) };
            let at = staggered(&id, interval, now.mono, now, (i, 3));
            assert!(GAP_MIN <= at.since(now.mono) && at.since(now.mono) <= interval + GAP_MIN);
            i128::from(wall.0) * 1000 + i128::from(at.0 - mono)
        });
        assert_eq!((moments[1] - moments[0]).rem_euclid(60_000_000), 20_000_000);
        assert_eq!((moments[2] - moments[1]).rem_euclid(60_000_000), 20_000_000);
    }

    #[test]
    fn two_starts_give_the_same_grid() {
        let id = MonitorId::parse("api").expect("an id");
        let interval = Duration::from_secs(60);
        let a = regular(&id, interval, Mono(10_000_000));
        let b = regular(&id, interval, Mono(130_000_000));
        assert_eq!((b.0 - a.0) % 60_000_000, 0);
    }
}
