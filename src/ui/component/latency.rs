//! Response times of one monitor over a stretch: how long checks took, and where in them the time went. Two drawings over the same
//! stretch, and behind them a table that says the same in numbers, from which a small script shows the values below the pointer.

use std::fmt::Write;
use std::time::Duration;

use maud::Markup;
use maud::html;

use crate::model::result::Phase;
use crate::model::time::UnixMillis;
use crate::ui::component::chart;
use crate::ui::text;

/// Units across a drawing.
const WIDTH: i64 = 720;

/// Units from its top to its bottom.
const HEIGHT: i64 = 160;

/// Phases of a check, in their order.
pub const PHASES: [Phase; 5] = [Phase::Dns, Phase::Connect, Phase::Tls, Phase::FirstByte, Phase::Transfer];

/// What is known of one step of the stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// When the step begins.
    pub at: UnixMillis,
    /// Checks in it.
    pub n_checks: u64,
    /// Those of them that were down or unknown.
    pub n_bad: u64,
    /// Median; `None` when no check got an answer.
    pub p50: Option<Duration>,
    /// 95th percentile.
    pub p95: Option<Duration>,
    /// 99th percentile.
    pub p99: Option<Duration>,
    /// Mean of each phase, in the order of [`PHASES`]; zero where it did not happen.
    pub phases: [Duration; 5],
}

/// Response times over a stretch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatencyView {
    /// Begin and end.
    pub span: (UnixMillis, UnixMillis),
    /// How much of it a point stands for.
    pub step: Duration,
    /// A point was made of several sums, so its percentiles are not exact.
    pub is_joined: bool,
    /// Oldest first; steps without a check are left out.
    pub points: Vec<Point>,
}

/// The drawings and their table.
#[must_use]
pub fn section(view: &LatencyView) -> Markup {
    let Some(top) = view.points.iter().filter_map(|point| point.p99.max(point.p95)).max().map(chart::nice_top) else {
        return html! { p.quiet { "No response times in this stretch." } };
    };
    html! {
        figure.chart data-chart {
            svg viewBox="0 0 720 160" preserveAspectRatio="none" role="img" aria-label=(words(view)) {
                (grid())
                path.p99 d=(line(view, top, |point| point.p99)) {}
                path.p95 d=(line(view, top, |point| point.p95)) {}
                path.p50 d=(line(view, top, |point| point.p50)) {}
                path.cursor d="" {}
            }
            figcaption {
                span { "0 to " (text::latency(top)) }
                span.key-p50 { "median" } span.key-p95 { "95th percentile" } span.key-p99 { "99th percentile" }
                span { (text::time(view.span.0)) " to " (text::time(view.span.1)) }
            }
            output.at {}
        }
        (phases(view))
        p.quiet { "Each point stands for " (text::coarse(view.step)) "." @if view.is_joined { " Its median is that of the medians in it; its 95th and 99th percentiles are the highest in it." } }
        details { summary { "The same as a table" } (table(view)) }
    }
}

fn grid() -> Markup {
    html! { @for quarter in 1..4_i64 { path.grid d={ "M0 " (HEIGHT * quarter / 4) "h720" } {} } }
}

/// Where the time went, stacked; nothing when no phase was measured, as for plain TCP.
fn phases(view: &LatencyView) -> Markup {
    let measured: Vec<usize> = (0..PHASES.len()).filter(|i| view.points.iter().any(|point| !point.phases[*i].is_zero())).collect();
    let longest = view.points.iter().map(|point| point.phases.iter().sum::<Duration>()).max().unwrap_or_default();
    if measured.is_empty() {
        return html! {};
    }
    let top = chart::nice_top(longest);
    html! {
        h3 { "Where the time goes" }
        figure.chart.phases data-chart {
            svg viewBox="0 0 720 160" preserveAspectRatio="none" role="img" aria-label=(phase_words(view, &measured)) {
                (grid())
                @for i in &measured { path class={ "ph" (i) } d=(bars(view, top, *i)) {} }
                path.cursor d="" {}
            }
            figcaption {
                span { "0 to " (text::latency(top)) }
                @for i in &measured { span class={ "key-ph ph" (i) } { (PHASES[*i].word()) } }
            }
            output.at {}
        }
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Where a moment is in the drawing.
fn x_of(view: &LatencyView, at: UnixMillis) -> i64 {
    let (from, to) = view.span;
    let span = i64::try_from(to.since(from).as_millis()).unwrap_or(i64::MAX).max(1);
    at.0.saturating_sub(from.0).clamp(0, span).saturating_mul(WIDTH) / span
}

fn height(of: Duration, top: Duration) -> i64 {
    micros(of).min(micros(top)).saturating_mul(HEIGHT) / micros(top).max(1)
}

/// A line through the middles of the steps, with a gap where a step is missing or nothing answered.
fn line(view: &LatencyView, top: Duration, value: impl Fn(&Point) -> Option<Duration>) -> String {
    let mut path = String::new();
    let mut before: Option<UnixMillis> = None;
    for point in &view.points {
        let Some(value) = value(point) else {
            before = None;
            continue;
        };
        let is_next = before.is_some_and(|at| at + view.step == point.at);
        let x = x_of(view, point.at + view.step / 2);
        // A point between two gaps is a dot and not nothing.
        let dot = if is_next { "" } else { "h.1" };
        // Writing into a String cannot fail.
        let _ = write!(path, "{}{x} {}{dot}", if is_next { 'L' } else { 'M' }, HEIGHT - height(value, top));
        before = Some(point.at);
    }
    path
}

/// One phase of every step, above the phases before it.
fn bars(view: &LatencyView, top: Duration, phase: usize) -> String {
    let mut path = String::new();
    for point in &view.points {
        let below: Duration = point.phases[..phase].iter().sum();
        let (low, high) = (height(below, top), height(below + point.phases[phase], top));
        if low < high {
            let (from, to) = (x_of(view, point.at), x_of(view, point.at + view.step));
            let _ = write!(path, "M{from} {}h{}v{}h-{}z", HEIGHT - low, (to - from).max(1), low - high, (to - from).max(1));
        }
    }
    path
}

fn words(view: &LatencyView) -> String {
    let newest = view.points.iter().rev().find_map(|point| point.p50).unwrap_or_default();
    let worst = view.points.iter().filter_map(|point| point.p99).max().unwrap_or_default();
    format!("response times: median {} at the end, highest 99th percentile {}", text::latency(newest), text::latency(worst))
}

fn phase_words(view: &LatencyView, measured: &[usize]) -> String {
    let newest = view.points.iter().rev().find(|point| point.p50.is_some());
    let parts =
        newest.into_iter().flat_map(|point| measured.iter().map(|i| format!("{} {}", PHASES[*i].word(), text::latency(point.phases[*i]))));
    format!("mean of the phases, at the end: {}", parts.collect::<Vec<_>>().join(", "))
}

/// `data-x` is where a row is in the drawing.
fn table(view: &LatencyView) -> Markup {
    let cell = |value: Option<Duration>| html! { td { @match value { Some(value) => (text::latency(value)), None => "–" } } };
    html! {
        div.scroll { table.list.latencies data-points {
            thead { tr { th { "Begins" } th { "Checks" } th { "Median" } th { "95th" } th { "99th" } @for phase in PHASES { th { (phase.word()) } } } }
            tbody { @for point in view.points.iter().rev() {
                tr data-x=(x_of(view, point.at + view.step / 2)) {
                    th scope="row" { (text::short(point.at, view.span.1)) }
                    td { (point.n_checks) @if 0 < point.n_bad { span.cause { ", " (point.n_bad) " failed" } } }
                    (cell(point.p50)) (cell(point.p95)) (cell(point.p99))
                    @for took in point.phases { (cell(Some(took).filter(|took| !took.is_zero()))) }
                }
            } }
        } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn point(at: i64, p50: Option<u64>, phases: [u64; 5]) -> Point {
        let p50 = p50.map(ms);
        Point { at: UnixMillis(at), n_checks: 2, n_bad: 0, p50, p95: p50, p99: p50, phases: phases.map(ms) }
    }

    fn view(points: Vec<Point>) -> LatencyView {
        LatencyView { span: (UnixMillis(0), UnixMillis(1000)), step: ms(100), is_joined: false, points }
    }

    #[test]
    fn a_step_that_is_missing_or_without_an_answer_is_a_gap() {
        let all = [point(0, Some(100), [0; 5]), point(100, Some(50), [0; 5]), point(200, None, [0; 5]), point(300, Some(100), [0; 5])];
        assert_eq!(line(&view(all.to_vec()), ms(100), |point| point.p50), "M36 0h.1L108 80M252 0h.1");
        let missing = [point(0, Some(100), [0; 5]), point(200, Some(100), [0; 5])];
        assert_eq!(line(&view(missing.to_vec()), ms(100), |point| point.p50), "M36 0h.1M180 0h.1");
    }

    #[test]
    fn phases_stand_on_each_other() {
        let view = view(vec![point(0, Some(100), [10, 0, 40, 50, 0])]);
        assert_eq!(bars(&view, ms(100), 0), "M0 160h72v-16h-72z");
        assert_eq!(bars(&view, ms(100), 1), "");
        assert_eq!(bars(&view, ms(100), 2), "M0 144h72v-64h-72z");
        assert_eq!(bars(&view, ms(100), 3), "M0 80h72v-80h-72z");
        let shown = section(&view).into_string();
        assert!(shown.contains("mean of the phases, at the end: dns 10 ms, tls 40 ms, first byte 50 ms"), "{shown}");
    }

    #[test]
    fn without_answers_there_is_a_sentence_and_without_phases_one_drawing() {
        assert!(section(&view(vec![point(0, None, [0; 5])])).into_string().contains("No response times in this stretch."));
        assert_eq!(section(&view(vec![point(0, Some(7), [0; 5])])).into_string().matches("<figure").count(), 1);
    }
}
