//! The operator's first page: what is wrong now, then everything else.

use std::time::Duration;

use maud::Markup;
use maud::html;

use crate::model::id::MonitorId;
use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::ui::component::alert;
use crate::ui::component::alert::Mark;
use crate::ui::component::badge::class;
use crate::ui::component::badge::shape;
use crate::ui::component::badge::word;
use crate::ui::component::chart::Tick;
use crate::ui::component::chart::sparkline;
use crate::ui::component::incident;
use crate::ui::component::incident::IncidentRow;
use crate::ui::component::regions;
use crate::ui::component::regions::RegionsCell;
use crate::ui::layout;
use crate::ui::layout::Frame;
use crate::ui::layout::Section;
use crate::ui::text;

/// Rows that have a chart: a few screens, and those in trouble come first. A chart is twice as long as the rest of its row, and
/// a page of a thousand monitors should stay light enough to be fetched every half minute.
const CHARTS_MAX: usize = 100;

/// Everything on the page.
#[derive(Debug, Clone, PartialEq)]
pub struct DashboardView {
    /// How many monitors are in which state, worst first.
    pub counts: Vec<(Verdict, usize)>,
    /// All regions, in the order of the config; empty when this instance watches alone.
    pub regions: Vec<String>,
    /// Failing first, then in the order of the config.
    pub monitors: Vec<MonitorRow>,
    /// Open ones, oldest last.
    pub open: Vec<IncidentRow>,
}

/// One monitor in the table.
#[derive(Debug, Clone, PartialEq)]
pub struct MonitorRow {
    /// Which.
    pub id: MonitorId,
    /// What it is called.
    pub name: String,
    /// Its group.
    pub group: Option<String>,
    /// How it is.
    pub state: Verdict,
    /// The same in a word that says more, such as "Late", with its look.
    pub said: Option<(Verdict, &'static str)>,
    /// Who is at work on it, and why people hear nothing of it.
    pub marks: Vec<Mark>,
    /// Since when.
    pub since: UnixMillis,
    /// The maintenance window that is open for it, and its end.
    pub upkeep: Option<(String, UnixMillis)>,
    /// It reports by itself: nothing is measured, and nothing is due from here.
    pub is_heartbeat: bool,
    /// When the next report is expected, of a heartbeat.
    pub expected_at: Option<UnixMillis>,
    /// The newest checks were bad and are not confirmed yet.
    pub suspect: bool,
    /// It is up, and fails from some regions.
    pub is_regional: bool,
    /// This node checks it.
    pub is_here: bool,
    /// Why it is not up.
    pub cause: Option<String>,
    /// When the newest check began and how long it took.
    pub last: Option<(UnixMillis, Duration)>,
    /// When the next check is due; `None` while paused.
    pub next_at: Option<UnixMillis>,
    /// What the regions say.
    pub regions: RegionsCell,
    /// Oldest first.
    pub recent: Vec<Tick>,
}

/// The whole page.
#[must_use]
pub fn page(frame: &Frame, view: &DashboardView) -> Markup {
    let content = html! {
        h1 { "Monitors" }
        ul.counts { @for (state, n) in &view.counts { li.(class(*state)).none[*n == 0] { (shape(*state)) " " b { (n) } " " (word(*state)) } } }
        @if !view.open.is_empty() { section { h2 { "Open incidents" } (incident::table(&view.open, &frame.links, frame.now)) } }
        @if view.monitors.is_empty() {
            p { "No monitors are configured. Add one under " code { "monitors:" } " in the config; it is read again when the file changes." }
        } @else {
            section {
                h2 { "All monitors" }
                @if view.monitors.len() > CHARTS_MAX { p.quiet { "Charts are drawn for the first " (CHARTS_MAX) "; the others have theirs on their own page." } }
                (table(frame, view))
            }
        }
    };
    layout::operator(frame, Section::Monitors, "Monitors", &content)
}

fn table(frame: &Frame, view: &DashboardView) -> Markup {
    let title = (!view.regions.is_empty()).then(|| view.regions.join(", "));
    html! {
        div.scroll { table.list.monitors {
            thead { tr { th { "State" } th { "Monitor" } th.num { "Since" } th { "Last checks" } th.num { "Response" } th.num { "Next" } th title=[title] { @if view.regions.is_empty() { "Region" } @else { "Regions" } } } }
            tbody { @for (i, item) in view.monitors.iter().enumerate() { (row(frame, item, i < CHARTS_MAX)) } }
        } }
    }
}

/// One row. There may be thousands, so it says everything once: the state's colour and shape come from the class of the row, and
/// the columns are aligned by the style sheet.
fn row(frame: &Frame, row: &MonitorRow, with_chart: bool) -> Markup {
    let (look, said) = row.said.unwrap_or((row.state, word(row.state)));
    html! {
        tr.(class(look)) {
            td { (said) @if row.suspect { span.quiet { " checking again" } } }
            td {
                a href=(frame.links.monitor(&row.id)) { (row.name) }
                @if let Some(group) = &row.group { span.quiet { " " (group) } }
                @if let Some((window, until)) = &row.upkeep { p.quiet { (window) ", ends " (text::until_words(*until, frame.now)) } }
                @if let Some(cause) = &row.cause { p.cause { (cause) } }
                (alert::marks(&row.marks, frame.now))
            }
            td { (text::ago_bare(row.since, frame.now)) }
            td { @if with_chart { (sparkline(&row.recent)) } }
            td { @if row.is_heartbeat { span.quiet { "–" } } @else { (response(row)) } }
            td { @if row.is_heartbeat { (next_report(row, frame.now)) } @else { (next_check(row, frame.now)) } }
            (regions::cell(&row.regions))
        }
    }
}

fn response(row: &MonitorRow) -> Markup {
    html! { @match row.last { Some((_, took)) => (text::latency(took)), None => span.quiet { @if row.is_here { "none yet" } @else { "–" } } } }
}

fn next_check(row: &MonitorRow, now: UnixMillis) -> Markup {
    html! { @match row.next_at { Some(at) => (text::until_words(at, now)), None => span.quiet { @if row.is_here || row.state == Verdict::Paused { "paused" } @else { "elsewhere" } } } }
}

/// When a heartbeat should say something next.
fn next_report(row: &MonitorRow, now: UnixMillis) -> Markup {
    html! {
        @match row.expected_at {
            Some(at) if now < at => (text::until_words(at, now)),
            Some(_) => "overdue",
            None => span.quiet { @if row.state == Verdict::Paused { "paused" } @else { "–" } },
        }
    }
}
