//! How long runs took: one bar for each, and the same as a table for whoever cannot see it or wants the numbers.

use std::time::Duration;

use maud::Markup;
use maud::html;

use crate::model::time::UnixMillis;
use crate::model::time::spoken;
use crate::model::verdict::Verdict;
use crate::ui::component::badge::badge_saying;
use crate::ui::component::badge::class;
use crate::ui::text;

/// A run that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct FinishedRun {
    /// When it ended.
    pub at: UnixMillis,
    /// How long it took.
    pub took: Duration,
    /// How it went: up, or down, or degraded when it was suspiciously fast.
    pub look: Verdict,
    /// The same in a word.
    pub word: &'static str,
    /// Its name.
    pub run: Option<String>,
}

/// What a run may take at least and at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Less is suspicious.
    pub min: Option<Duration>,
    /// More is too much.
    pub max: Option<Duration>,
}

/// Runs that the drawing has room for; fewer stand at its right end.
pub const RUNS_SHOWN: usize = 60;

const WIDTH: u64 = 720;
const HEIGHT: u128 = 160;

/// From one bar to the next.
const PITCH: u64 = 12;

/// What is left free between two.
const GAP: u64 = 3;

/// Runs from the oldest to the newest; of more than [`RUNS_SHOWN`] the newest.
#[must_use]
pub fn chart(runs: &[FinishedRun], limits: Limits) -> Markup {
    let runs = &runs[runs.len().saturating_sub(RUNS_SHOWN)..];
    let (Some(longest), Some(first), Some(last)) = (runs.iter().map(|run| run.took).max(), runs.first(), runs.last()) else {
        return html! { p.quiet { "No run with a known beginning has finished yet. Send " code { "/start" } " when the job begins, and its time is measured." } };
    };
    let top = nice_top(longest);
    let empty = WIDTH - PITCH * u64::try_from(runs.len()).unwrap_or(0);
    html! {
        figure.chart.runs {
            svg viewBox="0 0 720 160" preserveAspectRatio="none" role="img" aria-label=(in_words(runs)) {
                path.grid d="M0 40h720M0 80h720M0 120h720" {}
                @for (i, run) in runs.iter().enumerate() { (bar(run, empty + PITCH * u64::try_from(i).unwrap_or(0), top)) }
                @for limit in [limits.min, limits.max].into_iter().flatten().filter(|limit| *limit < top) {
                    path.limit d={ "M0 " (HEIGHT - height(limit, top)) "h720" } {}
                }
            }
            figcaption {
                span { "0 to " (spoken(top)) }
                @if let Some(max) = limits.max { span { "at most " (spoken(max)) } }
                @if let Some(min) = limits.min { span { "at least " (spoken(min)) } }
                span { (text::time(first.at)) " to " (text::time(last.at)) }
            }
        }
        (table(runs))
    }
}

/// A bar; one that is not fine stands before a ground of full height, so that it is seen however short it is, and without its colour.
fn bar(run: &FinishedRun, x: u64, top: Duration) -> Markup {
    let height = height(run.took, top).max(2);
    html! {
        @if run.look != Verdict::Up { rect.ground.(class(run.look)) x=(x) y="0" width=(PITCH - GAP) height=(HEIGHT) {} }
        rect.(class(run.look)) x=(x) y=(HEIGHT - height) width=(PITCH - GAP) height=(height) {}
    }
}

fn height(took: Duration, top: Duration) -> u128 {
    (took.as_millis() * HEIGHT / top.as_millis().max(1)).min(HEIGHT)
}

fn in_words(runs: &[FinishedRun]) -> String {
    let mut took: Vec<Duration> = runs.iter().map(|run| run.took).collect();
    took.sort();
    let n_bad = runs.iter().filter(|run| run.look != Verdict::Up).count();
    let (least, most) = (took.first().copied().unwrap_or_default(), took.last().copied().unwrap_or_default());
    let median = took.get(took.len() / 2).copied().unwrap_or_default();
    let bad = if n_bad == 0 { "all of them fine".to_owned() } else { format!("{n_bad} of them not fine") };
    format!(
        "last {}, {bad}: from {} to {}, half of them below {}",
        text::count(runs.len(), "run"),
        spoken(least),
        spoken(most),
        spoken(median)
    )
}

fn table(runs: &[FinishedRun]) -> Markup {
    html! {
        details {
            summary { "As a table" }
            div.scroll tabindex="0" { table.list {
                thead { tr { th { "Ended" } th { "Result" } th.num { "Took" } th { "Run" } } }
                tbody {
                    @for run in runs.iter().rev() {
                        tr {
                            td { (text::time(run.at)) }
                            td { (badge_saying(run.look, run.word)) }
                            td.num { (spoken(run.took)) }
                            td.wide { @if let Some(name) = &run.run { code { (name) } } @else { span.quiet { "–" } } }
                        }
                    }
                }
            } }
        }
    }
}

/// The end of a scale: something that people count in.
fn nice_top(longest: Duration) -> Duration {
    const MS: [u64; 9] = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
    const SECONDS: [u64; 16] = [10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800];
    let all = MS.into_iter().map(Duration::from_millis).chain(SECONDS.into_iter().map(Duration::from_secs));
    let days = longest.as_secs().div_ceil(86_400);
    all.into_iter().find(|top| longest <= *top).unwrap_or(Duration::from_secs(days * 86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(took: u64, look: Verdict) -> FinishedRun {
        FinishedRun { at: UnixMillis(1_782_820_800_000), took: Duration::from_secs(took), look, word: "success", run: None }
    }

    #[test]
    fn scales_end_at_round_times() {
        for (seconds, top) in [(0, 0), (7, 10), (45, 60), (61, 120), (3601, 7200), (100_000, 172_800), (300_000, 345_600)] {
            let top = if top == 0 { Duration::from_millis(10) } else { Duration::from_secs(top) };
            assert_eq!(nice_top(Duration::from_secs(seconds)), top, "{seconds}");
        }
    }

    #[test]
    fn a_chart_says_the_same_in_words_and_as_a_table() {
        let runs = [run(30, Verdict::Up), run(90, Verdict::Down), run(60, Verdict::Up)];
        let shown = chart(&runs, Limits { min: None, max: Some(Duration::from_secs(100)) }).into_string();
        assert!(shown.contains("last 3 runs, 1 of them not fine: from 30 s to 1 min 30 s, half of them below 1 min"), "{shown}");
        assert!(shown.contains("class=\"limit\"") && shown.contains("at most 1 min 40 s"), "{shown}");
        assert_eq!(shown.matches("<tr>").count(), 4);
        assert_eq!(shown.matches("class=\"ground is-down\"").count(), 1);
    }

    #[test]
    fn only_as_many_runs_are_drawn_as_there_is_room_for() {
        let many = vec![run(1, Verdict::Up); RUNS_SHOWN + 5];
        let shown = chart(&many, Limits { min: None, max: None }).into_string();
        assert_eq!(shown.matches("<rect").count(), RUNS_SHOWN);
        assert!(shown.contains("<rect class=\"is-up\" x=\"0\""));
        assert!(chart(&[], Limits { min: None, max: None }).into_string().contains("/start"));
    }
}
