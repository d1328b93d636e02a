//! How long a monitor was in which state: the arithmetic behind every availability figure.
//!
//! What is not known is kept apart and never counted as up; what was switched off on purpose, or in maintenance, counts as nothing at all.

use std::time::Duration;

use crate::model::change::VerdictChange;
use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;

/// How long each verdict held within a stretch. The parts sum up to the stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Up.
    pub up: Duration,
    /// Degraded: works, so it counts as available.
    pub degraded: Duration,
    /// Down.
    pub down: Duration,
    /// Nobody knows; includes the time before the first verdict.
    pub unknown: Duration,
    /// Switched off.
    pub paused: Duration,
    /// In a maintenance window.
    pub maintenance: Duration,
}

impl Totals {
    /// Share of the known time in which it was up or degraded; `None` when nothing is known.
    #[must_use]
    pub fn available(&self) -> Option<f64> {
        let good = self.up + self.degraded;
        let known = good + self.down;
        (!known.is_zero()).then(|| good.as_secs_f64() / known.as_secs_f64())
    }

    /// Share of the whole stretch about which nothing is known; 0 for an empty stretch.
    #[must_use]
    pub fn unknown_share(&self) -> f64 {
        self.share(self.unknown)
    }

    /// Share of the whole stretch in which it was in maintenance; 0 for an empty stretch.
    #[must_use]
    pub fn maintenance_share(&self) -> f64 {
        self.share(self.maintenance)
    }

    fn share(&self, part: Duration) -> f64 {
        let whole = self.whole();
        if whole.is_zero() { 0.0 } else { part.as_secs_f64() / whole.as_secs_f64() }
    }

    /// The stretch.
    #[must_use]
    pub fn whole(&self) -> Duration {
        self.up + self.degraded + self.down + self.unknown + self.paused + self.maintenance
    }

    /// Both stretches together.
    #[must_use]
    pub fn plus(&self, other: &Totals) -> Totals {
        Totals {
            up: self.up + other.up,
            degraded: self.degraded + other.degraded,
            down: self.down + other.down,
            unknown: self.unknown + other.unknown,
            paused: self.paused + other.paused,
            maintenance: self.maintenance + other.maintenance,
        }
    }

    /// The worst that held for any time: down, degraded, then up; maintenance, paused or unknown only when there was nothing else.
    #[must_use]
    pub fn worst(&self) -> Verdict {
        [
            (self.down, Verdict::Down),
            (self.degraded, Verdict::Degraded),
            (self.up, Verdict::Up),
            (self.maintenance, Verdict::Maintenance),
            (self.paused, Verdict::Paused),
            (self.unknown, Verdict::Unknown),
        ]
        .into_iter()
        .find(|(held, _)| !held.is_zero())
        .map_or(Verdict::Unknown, |(_, verdict)| verdict)
    }

    fn add(&mut self, verdict: Verdict, held: Duration) {
        let part = match verdict {
            Verdict::Up => &mut self.up,
            Verdict::Degraded => &mut self.degraded,
            Verdict::Down => &mut self.down,
            Verdict::Unknown => &mut self.unknown,
            Verdict::Paused => &mut self.paused,
            Verdict::Maintenance => &mut self.maintenance,
        };
        *part += held;
    }
}

/// Adds up how long each verdict of one monitor held between `from` and `to`. `changes` are in time order and may begin before
/// `from`; before the first of them the verdict is unknown. A stretch that ends before it begins is empty.
#[must_use]
pub fn span_totals(changes: &[VerdictChange], from: UnixMillis, to: UnixMillis) -> Totals {
    let mut totals = Totals::default();
    let (mut held, mut since) = (Verdict::Unknown, from);
    for change in changes {
        // Clamped to what is already counted, so that a clock that was set back cannot count a second twice.
        let at = change.at.clamp(since, to.max(since));
        totals.add(held, at.since(since));
        (held, since) = (change.verdict, at);
    }
    totals.add(held, to.since(since));
    totals
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::MonitorId;

    #[track_caller]
    fn assert_totals(changes: &[(i64, Verdict)], (from, to): (i64, i64), expected: [u64; 6]) {
        let monitor = MonitorId::parse("api").expect("an id");
        let changes: Vec<VerdictChange> = changes
            .iter()
            .map(|(at, verdict)| VerdictChange { monitor: monitor.clone(), at: UnixMillis(*at), verdict: *verdict })
            .collect();
        let totals = span_totals(&changes, UnixMillis(from), UnixMillis(to));
        let ms = |d: Duration| u64::try_from(d.as_millis()).expect("short");
        assert_eq!([totals.up, totals.degraded, totals.down, totals.unknown, totals.paused, totals.maintenance].map(ms), expected);
        assert_eq!(totals.whole(), UnixMillis(to).since(UnixMillis(from)), "the parts sum up to the stretch");
    }

    #[test]
    fn verdicts_hold_until_the_next() {
        assert_totals(&[(0, Verdict::Up), (60, Verdict::Down), (70, Verdict::Degraded)], (0, 100), [60, 30, 10, 0, 0, 0]);
    }

    #[test]
    fn the_time_before_the_first_verdict_is_unknown() {
        assert_totals(&[(40, Verdict::Up)], (0, 100), [60, 0, 0, 40, 0, 0]);
        assert_totals(&[], (0, 100), [0, 0, 0, 100, 0, 0]);
    }

    #[test]
    fn the_verdict_that_held_at_the_beginning_counts_from_there() {
        assert_totals(&[(-500, Verdict::Down), (-10, Verdict::Up), (50, Verdict::Paused)], (0, 100), [50, 0, 0, 0, 50, 0]);
    }

    #[test]
    fn changes_after_the_end_and_empty_stretches_count_nothing() {
        assert_totals(&[(0, Verdict::Up), (200, Verdict::Down)], (0, 100), [100, 0, 0, 0, 0, 0]);
        assert_totals(&[(0, Verdict::Up)], (100, 100), [0; 6]);
        assert_totals(&[(0, Verdict::Up)], (100, 50), [0; 6]);
    }

    #[test]
    fn a_clock_that_was_set_back_counts_nothing_twice() {
        assert_totals(&[(0, Verdict::Up), (60, Verdict::Down), (40, Verdict::Up)], (0, 100), [100, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn maintenance_is_kept_apart() {
        let changes = [(0, Verdict::Up), (20, Verdict::Maintenance), (50, Verdict::Down), (60, Verdict::Up)];
        assert_totals(&changes, (0, 100), [60, 0, 10, 0, 0, 30]);
        let (up, down, rest) = (Duration::from_secs(9), Duration::from_secs(1), Duration::from_secs(90));
        let totals = Totals { up, down, maintenance: rest, ..Totals::default() };
        assert_eq!((totals.available(), totals.unknown_share(), totals.worst()), (Some(0.9), 0.0, Verdict::Down));
        let only = Totals { maintenance: rest, unknown: up, paused: up, ..Totals::default() };
        assert_eq!((only.available(), only.worst()), (None, Verdict::Maintenance));
    }

    #[test]
    fn unknown_time_is_not_availability() {
        let totals = Totals { up: Duration::from_secs(1), unknown: Duration::from_secs(3), ..Totals::default() };
        assert_eq!((totals.available(), totals.unknown_share(), totals.worst()), (Some(1.0), 0.75, Verdict::Up));
        assert_eq!(Totals::default().available(), None);
    }
}
