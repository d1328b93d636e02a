//! The stretches that a monitor's page can show, and how sums become the points of a drawing. Pure.

use std::time::Duration;

use crate::model::rollup::Resolution;
use crate::model::rollup::Rollup;
use crate::model::time::UnixMillis;
use crate::ui::component::latency::LatencyView;
use crate::ui::component::latency::Point;

/// A stretch up to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Range {
    /// One hour.
    Hour,
    /// Six hours.
    SixHours,
    /// 24 hours.
    #[default]
    Day,
    /// 7 days.
    Week,
    /// 30 days.
    Month,
    /// 90 days.
    Quarter,
    /// 365 days.
    Year,
}

impl Range {
    /// All of them, the shortest first.
    pub const ALL: [Range; 7] = [Range::Hour, Range::SixHours, Range::Day, Range::Week, Range::Month, Range::Quarter, Range::Year];

    /// Reads `range=7d` of a query; without it, or with one that does not exist, it is the day.
    #[must_use]
    pub fn read(query: &str) -> Range {
        let asked = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "range");
        asked.and_then(|(_, value)| Range::ALL.into_iter().find(|range| range.word() == value)).unwrap_or_default()
    }

    /// As it is written in addresses and on pages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Range::Hour => "1h",
            Range::SixHours => "6h",
            Range::Day => "24h",
            Range::Week => "7d",
            Range::Month => "30d",
            Range::Quarter => "90d",
            Range::Year => "1y",
        }
    }

    /// How long it is.
    #[must_use]
    pub fn length(self) -> Duration {
        let hours = match self {
            Range::Hour => 1,
            Range::SixHours => 6,
            Range::Day => 24,
            Range::Week => 7 * 24,
            Range::Month => 30 * 24,
            Range::Quarter => 90 * 24,
            Range::Year => 365 * 24,
        };
        Duration::from_secs(hours * 3600)
    }

    /// Which sums it is drawn from: the finer ones are not kept for as long.
    #[must_use]
    pub fn resolution(self) -> Resolution {
        match self {
            Range::Hour | Range::SixHours | Range::Day => Resolution::FiveMinutes,
            Range::Week | Range::Month | Range::Quarter | Range::Year => Resolution::Hour,
        }
    }

    /// What one point stands for: a drawing has about a hundred of them, which is as many as one can tell apart on a phone and as many
    /// rows as one reads in a table.
    #[must_use]
    pub fn step(self) -> Duration {
        let minutes = match self {
            Range::Hour | Range::SixHours => 5,
            Range::Day => 15,
            Range::Week => 2 * 60,
            Range::Month => 8 * 60,
            Range::Quarter => 24 * 60,
            Range::Year => 4 * 24 * 60,
        };
        Duration::from_secs(minutes * 60)
    }
}

/// The points of a drawing.
#[must_use]
pub fn latencies(range: Range, rollups: &[Rollup], now: UnixMillis) -> LatencyView {
    let step = range.step();
    let step_ms = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
    let begin_of = |rollup: &Rollup| rollup.start.0.div_euclid(step_ms).saturating_mul(step_ms);
    let from = now.minus(range.length());
    let points = rollups.chunk_by(|a, b| begin_of(a) == begin_of(b)).map(|sums| point(UnixMillis(begin_of(&sums[0])), sums));
    LatencyView {
        span: (from, now),
        step,
        is_joined: range.resolution().length() < step,
        points: points.filter(|point| 0 < point.n_checks).collect(),
    }
}

/// Sums of the same step as one. The single results are gone, so its percentiles cannot be exact: the median is the one in the middle of
/// all medians, each weighing as much as it has checks; of the others the highest is taken, so that a bad hour is not smoothed away.
fn point(at: UnixMillis, sums: &[Rollup]) -> Point {
    let answered = |rollup: &Rollup| u64::from(rollup.n_up) + u64::from(rollup.n_degraded);
    let n_answered: u64 = sums.iter().map(answered).sum();
    let time = |us: u64| Duration::from_micros(us);
    let with_answers = || sums.iter().filter(|rollup| 0 < answered(rollup));
    let highest = |of: fn(&Rollup) -> u32| with_answers().map(|rollup| time(u64::from(of(rollup)))).max();
    let mut medians: Vec<(u32, u64)> = with_answers().map(|rollup| (rollup.p50_us, answered(rollup))).collect();
    medians.sort_unstable();
    let mut passed = 0;
    let middle = medians.iter().find(|(_, n)| {
        passed += n;
        n_answered <= 2 * passed
    });
    let phase = |i: usize| {
        let sum: u64 = with_answers().map(|rollup| u64::from(rollup.phase_mean_us[i]) * answered(rollup)).sum();
        time(sum.checked_div(n_answered).unwrap_or(0))
    };
    let n_bad = sums.iter().map(|rollup| u64::from(rollup.n_down) + u64::from(rollup.n_unknown)).sum();
    Point {
        at,
        n_checks: n_answered + n_bad,
        n_bad,
        p50: middle.map(|(us, _)| time(u64::from(*us))),
        p95: highest(|rollup| rollup.p95_us),
        p99: highest(|rollup| rollup.p99_us),
        phases: [phase(0), phase(1), phase(2), phase(3), phase(4)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn sum(start: i64, n: u32, n_down: u32, (p50, p95): (u32, u32)) -> Rollup {
        let phase_mean_us = [p50 / 10, 0, 0, p50 / 2, 0];
        Rollup { start: UnixMillis(start), n_up: n, n_down, p50_us: p50, p95_us: p95, p99_us: p95 + 1, phase_mean_us, ..Rollup::default() }
    }

    #[test]
    fn the_range_is_read_from_the_address() {
        for range in Range::ALL {
            assert_eq!(Range::read(&format!("a=b&range={}", range.word())), range);
            let n_points = range.length().as_secs() / range.step().as_secs();
            assert!((12..=96).contains(&n_points), "{} has {n_points} points", range.word());
            assert_eq!(range.step().as_secs() % range.resolution().length().as_secs(), 0, "{}", range.word());
        }
        for nothing in ["", "range=", "range=2w", "range=7D", "ranger=7d"] {
            assert_eq!(Range::read(nothing), Range::Day, "{nothing}");
        }
    }

    #[test]
    fn hours_become_points_of_two() {
        let day = 86_400_000;
        let sums = [sum(day, 10, 0, (1000, 2000)), sum(day + HOUR, 30, 2, (3000, 9000)), sum(day + 2 * HOUR, 0, 5, (0, 0))];
        let view = latencies(Range::Week, &sums, UnixMillis(7 * day));
        let us = Duration::from_micros;
        assert!(view.is_joined);
        assert_eq!(view.points.len(), 2);
        let first = view.points[0];
        assert_eq!((first.at, first.n_checks, first.n_bad), (UnixMillis(day), 42, 2));
        assert_eq!(
            (first.p50, first.p95, first.p99),
            (Some(us(3000)), Some(us(9000)), Some(us(9001))),
            "the hour with more checks has the median"
        );
        assert_eq!(first.phases, [us(250), us(0), us(0), us(1250), us(0)]);
        let second = view.points[1];
        assert_eq!((second.n_checks, second.n_bad, second.p50, second.p99), (5, 5, None, None));
    }

    #[test]
    fn a_sum_alone_stays_as_it_is() {
        let view = latencies(Range::Hour, &[sum(0, 4, 0, (700, 900))], UnixMillis(HOUR));
        assert!(!view.is_joined);
        assert_eq!(view.points[0].p50, Some(Duration::from_micros(700)));
    }
}
