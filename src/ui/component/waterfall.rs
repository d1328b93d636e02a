//! Where the time of one check went, phase by phase.

use std::time::Duration;

use maud::Markup;
use maud::html;

use crate::model::result::Phase;
use crate::model::result::Timings;
use crate::ui::text;

/// Units across the drawing.
const WIDTH: u128 = 1000;

/// A table with one row per phase that happened, each with a bar that begins where the phase before it ended.
#[must_use]
pub fn waterfall(timings: &Timings) -> Markup {
    let rows = rows(timings);
    html! {
        table.waterfall {
            caption.sr-only { "Phases of the check" }
            @for row in &rows {
                tr {
                    th scope="row" { (row.phase.word()) }
                    td.track {
                        svg viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" {
                            rect x=(row.x) y="0" width=(row.width) height="10" {}
                        }
                    }
                    td.num { (text::latency(row.took)) }
                }
            }
            tr.total { th scope="row" { "total" } td {} td.num { (text::latency(timings.total)) } }
        }
    }
}

/// The same in one line: the phases as parts of a bar, and below it in words.
#[must_use]
pub fn strip(timings: &Timings) -> Markup {
    let rows = rows(timings);
    html! {
        @if !rows.is_empty() {
            svg.strip viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" {
                @for row in &rows { rect.(phase_class(row.phase)) x=(row.x) y="0" width=(row.width) height="10" {} }
            }
            p.quiet { @for (i, row) in rows.iter().enumerate() { @if i > 0 { " · " } (row.phase.word()) " " (text::latency(row.took)) } }
        }
    }
}

/// Neighbours differ in strength, so that one sees where a phase ends.
fn phase_class(phase: Phase) -> &'static str {
    match phase {
        Phase::Dns | Phase::Tls | Phase::Transfer => "faint",
        Phase::Connect | Phase::FirstByte => "strong",
    }
}

struct Row {
    phase: Phase,
    took: Duration,
    x: u128,
    width: u128,
}

fn rows(timings: &Timings) -> Vec<Row> {
    let phases: Vec<(Phase, Duration)> = timings.phases().into_iter().filter_map(|(phase, took)| took.map(|took| (phase, took))).collect();
    // After redirects the phases are only those of the last hop; they are then placed at the end of the whole.
    let sum: Duration = phases.iter().map(|(_, took)| *took).sum();
    let whole = timings.total.max(sum).as_micros().max(1);
    let mut begin = whole - sum.as_micros().min(whole);
    if sum.as_micros() * 10 >= whole * 9 {
        begin = 0;
    }
    let mut rows = Vec::new();
    for (phase, took) in phases {
        let width = (took.as_micros() * WIDTH / whole).max(2);
        rows.push(Row { phase, took, x: (begin * WIDTH / whole).min(WIDTH - 2), width });
        begin += took.as_micros();
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_follow_each_other() {
        let ms = Duration::from_millis;
        let timings = Timings { dns: Some(ms(10)), connect: Some(ms(30)), first_byte: Some(ms(60)), total: ms(100), ..Timings::default() };
        let rows = rows(&timings);
        assert_eq!(
            rows.iter().map(|r| (r.phase.word(), r.x, r.width)).collect::<Vec<_>>(),
            [("dns", 0, 100), ("connect", 100, 300), ("first byte", 400, 600)]
        );
    }

    #[test]
    fn a_check_without_phases_still_has_a_total() {
        assert!(waterfall(&Timings::default()).into_string().contains("0 ms"));
    }
}
