//! All heartbeats: what each is expected to do, when it last did it, and when it has to do it next.

use std::time::Duration;

use maud::Markup;
use maud::html;

use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::time::UnixMillis;
use crate::model::time::spoken;
use crate::model::verdict::Verdict;
use crate::ui::component::alert;
use crate::ui::component::alert::Mark;
use crate::ui::component::badge::badge_saying;
use crate::ui::component::heartbeat::Standing;
use crate::ui::layout;
use crate::ui::layout::Frame;
use crate::ui::layout::Section;
use crate::ui::text;

/// Everything on the page.
#[derive(Debug, Clone, PartialEq)]
pub struct HeartbeatsView {
    /// Those that need somebody first, then by when they are expected.
    pub rows: Vec<HeartbeatRow>,
}

/// One heartbeat.
#[derive(Debug, Clone, PartialEq)]
pub struct HeartbeatRow {
    /// Which.
    pub id: MonitorId,
    /// What it is called.
    pub name: String,
    /// Its group.
    pub group: Option<String>,
    /// How it stands.
    pub standing: Standing,
    /// The maintenance window that is open for it.
    pub is_maintenance: bool,
    /// Why it is not up.
    pub cause: Option<String>,
    /// The incident that is open for it.
    pub incident: Option<IncidentId>,
    /// Who is at work on it, and why people hear nothing of it.
    pub marks: Vec<Mark>,
    /// When reports are expected, in words.
    pub schedule: String,
    /// How late they may be.
    pub grace: Duration,
    /// The last success.
    pub last_success: Option<UnixMillis>,
    /// When the oldest open run began, and how many are open.
    pub running: Option<(UnixMillis, usize)>,
    /// The newest run that ended by itself: how long it took, and whether it worked.
    pub last_run: Option<(Duration, bool)>,
    /// Runs that are missed just now.
    pub n_missed: usize,
    /// When the next report is expected.
    pub expected: Option<UnixMillis>,
    /// When its time is over.
    pub deadline: Option<UnixMillis>,
}

/// The whole page.
#[must_use]
pub fn page(frame: &Frame, view: &HeartbeatsView) -> Markup {
    let content = html! {
        div.with-act {
            h1 { "Heartbeats" }
            @if frame.may_operate { p { a href=(frame.links.new_heartbeat()) { "New heartbeat" } } }
        }
        p { "Jobs that report by themselves. One that says nothing in time is down; what it is pinged by stands on its own page." }
        @if view.rows.is_empty() {
            p.quiet { "There is none yet. Add a monitor with " code { "heartbeat:" } " to the config." }
        } @else {
            div.scroll tabindex="0" { table.list.heartbeats {
                thead { tr { th { "State" } th { "Heartbeat" } th { "Expected" } th { "Last success" } th { "Last run" } th { "Next report" } } }
                tbody { @for item in &view.rows { (row(frame, item)) } }
            } }
        }
    };
    layout::operator(frame, Section::Heartbeats, "Heartbeats", &content)
}

fn row(frame: &Frame, row: &HeartbeatRow) -> Markup {
    let (look, word) = if row.is_maintenance { (Verdict::Maintenance, "Maintenance") } else { (row.standing.look(), row.standing.word()) };
    html! {
        tr data-key=(row.id) {
            td { (badge_saying(look, word)) }
            td.wide {
                a href=(frame.links.monitor(&row.id)) { (row.name) }
                @if let Some(group) = &row.group { span.quiet { " " (group) } }
                @if let Some(cause) = &row.cause { p.cause { @match &row.incident { Some(incident) => a href=(frame.links.incident(incident)) { (cause) }, None => (cause) } } }
                @if 0 < row.n_missed { p.cause { (text::count(row.n_missed, "run")) " missed" } }
                (alert::marks(&row.marks, frame.now))
            }
            td.wide data-label="Expected" { (row.schedule) p.quiet { "grace " (spoken(row.grace)) } }
            td data-label="Last success" { @match row.last_success { Some(at) => (text::ago(at, frame.now)), None => span.quiet { "none yet" } } }
            td data-label="Last run" { (last_run(row, frame.now)) }
            td data-label="Next report" { (next(row, frame.now)) }
        }
    }
}

fn last_run(row: &HeartbeatRow, now: UnixMillis) -> Markup {
    html! {
        @if let Some((since, n)) = row.running {
            "running for " (text::coarse(now.since(since)))
            @if 1 < n { p.quiet { (n) " at the same time" } }
        }
        @match row.last_run {
            Some((took, true)) => @if row.running.is_none() { (spoken(took)) } @else { p.quiet { "before that " (spoken(took)) } },
            Some((took, false)) => p.cause { "failed after " (spoken(took)) },
            None => @if row.running.is_none() { span.quiet { "–" } },
        }
    }
}

/// When it has to say something, or how long that is over.
fn next(row: &HeartbeatRow, now: UnixMillis) -> Markup {
    html! {
        @match (row.expected, row.deadline) {
            _ if matches!(row.standing, Standing::PausedUntilPing | Standing::PausedUntilResumed) => span.quiet { "paused" },
            (Some(at), _) if now < at => (text::until(at, now)),
            (Some(at), Some(deadline)) if now < deadline => { "was expected " (text::ago(at, now)) p.quiet { "may come " (text::until(deadline, now)) } },
            (Some(at), _) => { "was expected " (text::ago(at, now)) },
            (None, Some(deadline)) if now < deadline => { "the first " (text::until(deadline, now)) },
            (None, _) => span.quiet { "–" },
        }
    }
}
