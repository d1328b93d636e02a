//! Who says what: one row for each place that watches a monitor, and what was measured there.

use std::collections::BTreeMap;
use std::time::Duration;

use maud::Markup;
use maud::html;

use crate::model::result::Outcome;
use crate::model::result::Timings;
use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::ui::component::badge::badge;
use crate::ui::component::badge::class;
use crate::ui::component::badge::of_outcome;
use crate::ui::component::badge::word;
use crate::ui::component::chart;
use crate::ui::component::chart::Sample;
use crate::ui::component::chart::Tick;
use crate::ui::component::waterfall;
use crate::ui::text;

const HOUR_MS: i64 = 3_600_000;

/// What the regions say of a monitor.
#[derive(Debug, Clone, PartialEq)]
pub struct RegionsView {
    /// What they say together.
    pub sentences: Vec<String>,
    /// Where the trouble is.
    pub diagnosis: Option<&'static str>,
    /// The node that decides and tells people.
    pub decider: Option<String>,
    /// One for each voter, in the order of the config.
    pub rows: Vec<RegionRow>,
}

/// What one region says.
#[derive(Debug, Clone, PartialEq)]
pub struct RegionRow {
    /// Where.
    pub region: String,
    /// Which node.
    pub node: String,
    /// It looks from inside.
    pub is_inside: bool,
    /// It is the node that shows the page.
    pub is_me: bool,
    /// What its vote counts as.
    pub state: Verdict,
    /// The newest checks were bad and are not confirmed yet.
    pub is_suspect: bool,
    /// Since when it holds that.
    pub since: Option<UnixMillis>,
    /// Why it is not up.
    pub cause: Option<String>,
    /// Why its vote does not count.
    pub ignored: Option<String>,
    /// What it measured.
    pub measured: Measured,
}

/// What a node measured, as far as it told.
#[derive(Debug, Clone, PartialEq)]
pub enum Measured {
    /// It was not asked.
    NotAsked,
    /// Nothing is known; why, in a few words.
    Nothing(String),
    /// This.
    Results(Box<RegionResults>),
}

/// What a node measured.
#[derive(Debug, Clone, PartialEq)]
pub struct RegionResults {
    /// When the newest check began.
    pub at: UnixMillis,
    /// What it said.
    pub outcome: Outcome,
    /// HTTP status.
    pub status: Option<u16>,
    /// The address that was talked to.
    pub remote: Option<String>,
    /// How long each phase took.
    pub timings: Timings,
    /// What happened; empty when it is up.
    pub lines: Vec<String>,
    /// Lines that found no room.
    pub n_dropped: u32,
    /// The newest results, oldest first.
    pub recent: Vec<Tick>,
    /// Response times of the last day.
    pub samples: Vec<Sample>,
}

/// The regions of a monitor in a table of many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegionsCell {
    /// Nobody else watches: the own region.
    Alone(String),
    /// What each voter says.
    Votes {
        /// In the order of the config.
        states: Vec<Verdict>,
        /// Names of the regions by what they say.
        names: Vec<(Verdict, Vec<String>)>,
        /// How many voters the cluster has; a row with fewer names them.
        n_all: usize,
    },
}

/// The whole section.
#[must_use]
pub fn section(view: &RegionsView, now: UnixMillis) -> Markup {
    html! {
        section {
            h2 { "Regions" }
            p { @for sentence in &view.sentences { (sentence) " " } @if let Some(decider) = &view.decider { span.quiet { (decider) " decides and tells." } } }
            @if let Some(diagnosis) = view.diagnosis { p.diagnosis { b { "Diagnosis: " } (diagnosis) "." } }
            (table(&view.rows, now))
        }
    }
}

/// One row for each voter.
#[must_use]
pub fn table(rows: &[RegionRow], now: UnixMillis) -> Markup {
    html! {
        div.scroll tabindex="0" { table.list.regions {
            thead { tr { th { "Region" } th { "Says" } th { "Newest check" } th { "Last checks" } } }
            tbody { @for row in rows { tr { th scope="row" { (place(row)) } td.wide { (says(row, now)) } (measured(&row.measured, now)) } } }
        } }
    }
}

fn place(row: &RegionRow) -> Markup {
    let notes = [(row.node != row.region, row.node.as_str()), (row.is_inside, "inside"), (row.is_me, "this node")];
    let notes: Vec<&str> = notes.into_iter().filter(|(holds, _)| *holds).map(|(_, note)| note).collect();
    html! {
        (row.region)
        p.quiet { (notes.join(", ")) }
    }
}

fn says(row: &RegionRow, now: UnixMillis) -> Markup {
    html! {
        (badge(row.state))
        @if row.is_suspect { span.quiet { " checking again" } }
        @if let Some(since) = row.since { span.quiet { " since " (text::ago(since, now)) } }
        @if let Some(cause) = &row.cause { p.cause { (cause) } }
        @if let Some(why) = &row.ignored { p.quiet { "Does not count: " (why) } }
    }
}

fn measured(measured: &Measured, now: UnixMillis) -> Markup {
    match measured {
        Measured::NotAsked => html! { td {} td {} },
        Measured::Nothing(why) => html! { td.quiet { (why) } td {} },
        Measured::Results(results) => html! {
            td.newest {
                span.(class(of_outcome(results.outcome))) { (text::latency(results.timings.total)) }
                span.quiet {
                    " " (text::ago(results.at, now))
                    @if let Some(status) = results.status { ", status " (status) }
                    @if let Some(remote) = &results.remote { " from " (remote) }
                }
                (waterfall::strip(&results.timings))
            }
            td { (chart::sparkline(&results.recent)) }
        },
    }
}

/// The response times of each region, small and with one scale, so that they can be compared.
#[must_use]
pub fn charts(rows: &[RegionRow], (from, to): (UnixMillis, UnixMillis)) -> Markup {
    let measured: Vec<(&RegionRow, &[Sample])> = rows
        .iter()
        .filter_map(|row| match &row.measured {
            Measured::Results(results) => Some((row, &results.samples[..])),
            Measured::NotAsked | Measured::Nothing(_) => None,
        })
        .collect();
    let top = chart::top(measured.iter().flat_map(|(_, samples)| samples.iter()));
    let Some(top) = top else { return html! { p.quiet { "No response times in this stretch." } } };
    html! {
        p.quiet.legend { span.key-p50 { "median" } span.key-p95 { "95th percentile" } span { "0 to " (text::latency(top)) } span { (text::time(from)) " to " (text::time(to)) } }
        div.multiples { @for (row, samples) in &measured { div { h3 { (row.region) @if row.node != row.region { span.quiet { " " (row.node) } } } (chart::multiple(samples, (from, to), top)) } } }
        details { summary { "The same as a table" } (hours(&measured, to)) }
    }
}

/// The same numbers, an hour in a row, the newest first: of medians the one in the middle, of percentiles the highest.
fn hours(measured: &[(&RegionRow, &[Sample])], now: UnixMillis) -> Markup {
    let mut found: BTreeMap<i64, Vec<Vec<&Sample>>> = BTreeMap::new();
    for (column, (_, samples)) in measured.iter().enumerate() {
        for sample in *samples {
            found.entry(sample.at.0.div_euclid(HOUR_MS)).or_insert_with(|| vec![Vec::new(); measured.len()])[column].push(sample);
        }
    }
    let cell = |value: Option<Duration>| html! { td { @match value { Some(value) => (text::latency(value)), None => "–" } } };
    let middle = |samples: &[&Sample]| {
        let mut medians: Vec<Duration> = samples.iter().filter_map(|sample| sample.p50).collect();
        medians.sort_unstable();
        medians.get(medians.len() / 2).copied()
    };
    html! {
        div.scroll tabindex="0" { table.list.latencies {
            thead { tr { th { "Begins" } @for (row, _) in measured { th { (row.region) ", median" } th { (row.region) ", 95th" } } } }
            tbody { @for (hour, columns) in found.into_iter().rev() {
                tr {
                    th scope="row" { (text::short(UnixMillis(hour * HOUR_MS), now)) }
                    @for samples in columns { (cell(middle(&samples))) (cell(samples.iter().filter_map(|sample| sample.p95).max())) }
                }
            } }
        } }
    }
}

/// What failing regions saw, side by side. `which` says of which check that is.
#[must_use]
pub fn evidence(rows: &[RegionRow], which: &str, now: UnixMillis) -> Markup {
    html! {
        div.multiples.evidences {
            @for row in rows {
                article.evidence.(class(row.state)) {
                    h3 { (row.region) @if row.node != row.region { span.quiet { " " (row.node) } } }
                    div { (says(row, now)) }
                    @match &row.measured {
                        Measured::NotAsked => {},
                        Measured::Nothing(why) => { p.quiet { (which) ": " (why) } },
                        Measured::Results(results) => {
                            p.quiet { (which) " " (text::ago(results.at, now)) @if let Some(remote) = &results.remote { ", " (remote) } @if let Some(status) = results.status { ", status " (status) } }
                            (waterfall::strip(&results.timings))
                            @if !results.lines.is_empty() {
                                pre.transcript { @for line in &results.lines { (line) "\n" } @if results.n_dropped > 0 { (results.n_dropped) " more lines were not kept\n" } }
                            }
                        },
                    }
                }
            }
        }
    }
}

/// The cell of a table: one mark for each voter, in the order of the config, then how many of them see nothing wrong. Names stand in the
/// tooltip, and those that fail also beside it. There may be thousands of rows, so what all of them share is said once.
#[must_use]
pub fn cell(cell: &RegionsCell) -> Markup {
    let (states, names, n_all) = match cell {
        RegionsCell::Alone(region) => return html! { td { (region) } },
        RegionsCell::Votes { states, names, n_all } => (states, names, *n_all),
    };
    let n_fine = states.iter().filter(|state| **state == Verdict::Up).count();
    let is_plain = n_fine == states.len() && n_fine == n_all;
    let title = names.iter().map(|(state, names)| format!("{}: {}", word(*state), names.join(", "))).collect::<Vec<_>>().join("; ");
    let bad: Vec<&str> = names
        .iter()
        .filter(|(state, _)| matches!(state, Verdict::Down | Verdict::Degraded))
        .flat_map(|(_, names)| names)
        .map(String::as_str)
        .collect();
    html! {
        td title=[(!is_plain).then_some(title)] {
            @for run in states.chunk_by(|a, b| a == b) { b.(class(run[0])) aria-hidden="true" { (mark(run[0]).repeat(run.len())) } }
            " " (n_fine) "/" (states.len())
            @if !bad.is_empty() { p.quiet { (bad.join(", ")) } }
        }
    }
}

/// A state as one letter, with the shapes of [`crate::ui::component::badge::shape`].
fn mark(state: Verdict) -> &'static str {
    match state {
        Verdict::Up => "●",
        Verdict::Degraded => "▲",
        Verdict::Down => "■",
        Verdict::Unknown => "◌",
        Verdict::Paused => "‖",
        Verdict::Maintenance => "◆",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_of_regions_are_a_table_too() {
        let ms = |n| Some(Duration::from_millis(n));
        let row = |region: &str, samples: Vec<Sample>| {
            let results = RegionResults {
                at: UnixMillis(0),
                outcome: Outcome::Up,
                status: None,
                remote: None,
                timings: Timings::default(),
                lines: Vec::new(),
                n_dropped: 0,
                recent: Vec::new(),
                samples,
            };
            RegionRow {
                region: region.to_owned(),
                node: region.to_owned(),
                is_inside: false,
                is_me: false,
                state: Verdict::Up,
                is_suspect: false,
                since: None,
                cause: None,
                ignored: None,
                measured: Measured::Results(Box::new(results)),
            }
        };
        let at = |minutes: i64, p50, p95| Sample { at: UnixMillis(minutes * 60_000), p50: ms(p50), p95: ms(p95) };
        let eu = row("eu", vec![at(0, 10, 20), at(5, 12, 90), at(10, 30, 40), at(65, 50, 60)]);
        let us = row("us", vec![at(70, 70, 80)]);
        let shown = charts(&[eu, us], (UnixMillis(0), UnixMillis(2 * HOUR_MS))).into_string();
        let rows: Vec<&str> = shown.split("<tr>").skip(2).collect();
        let cells =
            |row: &str| row.split("<td>").skip(1).map(|cell| cell.split('<').next().unwrap_or_default().to_owned()).collect::<Vec<_>>();
        assert_eq!(
            rows.iter().map(|row| cells(row)).collect::<Vec<_>>(),
            [["50 ms", "60 ms", "70 ms", "80 ms"], ["12 ms", "90 ms", "–", "–"]]
        );
    }

    #[test]
    fn a_cell_says_by_shape_number_and_name_who_sees_trouble() {
        let names =
            vec![(Verdict::Up, vec!["eu".to_owned()]), (Verdict::Down, vec!["us".to_owned()]), (Verdict::Unknown, vec!["ap".to_owned()])];
        let shown = cell(&RegionsCell::Votes { states: vec![Verdict::Up, Verdict::Down, Verdict::Unknown], names, n_all: 3 }).into_string();
        for part in ["●", "■", "◌", "1/3", "title=\"Up: eu; Down: us; Unknown: ap\"", "<p class=\"quiet\">us</p>"] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        let names = vec![(Verdict::Up, vec!["eu".to_owned(), "us".to_owned()])];
        let plain = |n_all| cell(&RegionsCell::Votes { states: vec![Verdict::Up, Verdict::Up], names: names.clone(), n_all }).into_string();
        assert_eq!(plain(2), "<td><b class=\"is-up\" aria-hidden=\"true\">●●</b> 2/2</td>");
        assert!(plain(3).contains("title=\"Up: eu, us\""), "one that not all watch says who does");
    }
}
