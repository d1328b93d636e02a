//! Response times as drawings: the last checks as a sparkline, the last day as two lines. Both say the same in words.

use std::fmt::Write;
use std::time::Duration;

use maud::Markup;
use maud::html;

use crate::model::result::Outcome;
use crate::model::time::UnixMillis;
use crate::ui::component::badge::class;
use crate::ui::component::badge::of_outcome;
use crate::ui::text;

/// One check in a sparkline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// What it said.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

/// Steps of height: enough for a drawing of a finger's breadth, and one digit each.
const SPARK_HEIGHT: u64 = 9;

/// Checks that a sparkline has room for; fewer stand at its right end, so that all sparklines of a table have one scale.
const SPARK_TICKS: usize = 60;

/// The last checks, oldest left: height is the time taken, the class is the outcome. Checks that are not up reach the full
/// height, so that they are seen however fast they failed.
#[must_use]
pub fn sparkline(ticks: &[Tick]) -> Markup {
    let longest = ticks.iter().filter(|t| t.outcome == Outcome::Up).map(|t| t.took.as_micros()).max().unwrap_or(0).max(1);
    let mut by_outcome: [(Outcome, String); 4] =
        [Outcome::Up, Outcome::Degraded, Outcome::Down, Outcome::Unknown].map(|outcome| (outcome, String::new()));
    let ticks = &ticks[ticks.len().saturating_sub(SPARK_TICKS)..];
    let empty = SPARK_TICKS - ticks.len();
    for (i, tick) in ticks.iter().enumerate() {
        let share = tick.took.as_micros().min(longest) * u128::from(SPARK_HEIGHT) / longest;
        let height = if tick.outcome == Outcome::Up { u64::try_from(share).unwrap_or(SPARK_HEIGHT).max(1) } else { SPARK_HEIGHT };
        if let Some((_, path)) = by_outcome.iter_mut().find(|(outcome, _)| *outcome == tick.outcome) {
            // Writing into a String cannot fail.
            let _ = write!(path, "M{} 9v-{height}", empty + i);
        }
    }
    html! {
        svg.spark viewBox={ "-.5 0 " (SPARK_TICKS) " " (SPARK_HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(spark_text(ticks)) {
            @for (outcome, path) in by_outcome.iter().filter(|(_, path)| !path.is_empty()) { path.(class(of_outcome(*outcome))) d=(path) {} }
        }
    }
}

fn spark_text(ticks: &[Tick]) -> String {
    let n = |outcome: Outcome| ticks.iter().filter(|t| t.outcome == outcome).count();
    format!(
        "last {}: {} up, {} degraded, {} down, {} unknown",
        text::count(ticks.len(), "check"),
        n(Outcome::Up),
        n(Outcome::Degraded),
        n(Outcome::Down),
        n(Outcome::Unknown)
    )
}

/// A point of the response-time chart; one per roll-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When its stretch begins.
    pub at: UnixMillis,
    /// Median; `None` when no check got an answer.
    pub p50: Option<Duration>,
    /// 95th percentile.
    pub p95: Option<Duration>,
}

const WIDTH: i64 = 720;
const HEIGHT: i64 = 160;

/// The scale that all of these fit in; `None` when none has a response time.
#[must_use]
pub fn top<'a>(samples: impl Iterator<Item = &'a Sample>) -> Option<Duration> {
    samples.filter_map(|s| s.p95.max(s.p50)).max().map(nice_top)
}

/// One of several small charts with one scale: median and 95th percentile from `from` to `to`. Stretches without an answer leave a gap
/// rather than a line across it.
#[must_use]
pub fn multiple(samples: &[Sample], (from, to): (UnixMillis, UnixMillis), top: Duration) -> Markup {
    let frame = Frame { from, to, top };
    html! {
        figure.chart.small {
            svg viewBox="0 0 720 160" preserveAspectRatio="none" role="img" aria-label=(chart_text(samples)) {
                path.grid d={ "M0 " (HEIGHT / 2) "h720" } {}
                path.p95 d=(line(samples, &frame, |s| s.p95)) {}
                path.p50 d=(line(samples, &frame, |s| s.p50)) {}
            }
            figcaption {
                @match samples.iter().rev().find_map(|s| s.p50) {
                    Some(newest) => { span { "median " (text::latency(newest)) } },
                    None => { span { "no response times" } },
                }
            }
        }
    }
}

struct Frame {
    from: UnixMillis,
    to: UnixMillis,
    top: Duration,
}

/// The next of 1, 2, 5 times a power of ten above the longest, so that the scale is a number one can read.
pub(crate) fn nice_top(longest: Duration) -> Duration {
    let ms = longest.as_millis().max(1);
    let mut step = 1;
    loop {
        for factor in [1, 2, 5] {
            if step * factor >= ms {
                return Duration::from_millis(u64::try_from(step * factor).unwrap_or(u64::MAX));
            }
        }
        step *= 10;
    }
}

fn line(samples: &[Sample], frame: &Frame, value: impl Fn(&Sample) -> Option<Duration>) -> String {
    let span = i64::try_from(frame.to.since(frame.from).as_millis()).unwrap_or(i64::MAX).max(1);
    let top = i64::try_from(frame.top.as_micros()).unwrap_or(i64::MAX).max(1);
    let mut path = String::new();
    let mut pen_up = true;
    for sample in samples {
        let Some(value) = value(sample) else {
            pen_up = true;
            continue;
        };
        let x = (sample.at.0.saturating_sub(frame.from.0)).clamp(0, span).saturating_mul(WIDTH) / span;
        let height = i64::try_from(value.as_micros()).unwrap_or(i64::MAX).min(top).saturating_mul(HEIGHT) / top;
        let _ = write!(path, "{}{x} {}", if pen_up { 'M' } else { 'L' }, HEIGHT - height);
        pen_up = false;
    }
    path
}

fn chart_text(samples: &[Sample]) -> String {
    let newest = samples.iter().rev().find_map(|s| s.p50);
    let worst = samples.iter().filter_map(|s| s.p95).max();
    match (newest, worst) {
        (Some(newest), Some(worst)) => {
            format!("response times: median {} at the end, highest 95th percentile {}", text::latency(newest), text::latency(worst))
        }
        _ => "no response times".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_stay_gaps() {
        let ms = |n| Some(Duration::from_millis(n));
        let sample = |at, p50| Sample { at: UnixMillis(at), p50, p95: p50 };
        let samples = [sample(0, ms(100)), sample(25, ms(50)), sample(50, None), sample(100, ms(100))];
        let frame = Frame { from: UnixMillis(0), to: UnixMillis(100), top: Duration::from_millis(100) };
        assert_eq!(line(&samples, &frame, |s| s.p50), "M0 0L180 80M720 0");
    }

    #[test]
    fn scales_end_at_round_numbers() {
        for (longest, top) in [(0, 1), (7, 10), (130, 200), (500, 500), (1001, 2000)] {
            assert_eq!(nice_top(Duration::from_millis(longest)), Duration::from_millis(top));
        }
    }

    #[test]
    fn sparklines_say_what_they_show() {
        let tick = |outcome| Tick { outcome, took: Duration::from_millis(5) };
        let text = sparkline(&[tick(Outcome::Up), tick(Outcome::Down)]).into_string();
        assert!(text.contains("last 2 checks: 1 up, 0 degraded, 1 down, 0 unknown"));
    }
}
