//! One monitor: how it is, what the newest check did, how it has been.

use std::time::Duration;

use maud::Markup;
use maud::html;

use crate::model::id::MonitorId;
use crate::model::result::Outcome;
use crate::model::result::Timings;
use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::rules::uptime::Totals;
use crate::ui::component::alert;
use crate::ui::component::alert::Mark;
use crate::ui::component::badge::badge;
use crate::ui::component::badge::badge_saying;
use crate::ui::component::badge::of_outcome;
use crate::ui::component::bar;
use crate::ui::component::bar::DayBar;
use crate::ui::component::bar::Uptime;
use crate::ui::component::chart;
use crate::ui::component::chart::Sample;
use crate::ui::component::chart::Tick;
use crate::ui::component::heartbeat;
use crate::ui::component::heartbeat::BeatSection;
use crate::ui::component::incident;
use crate::ui::component::incident::IncidentRow;
use crate::ui::component::latency;
use crate::ui::component::latency::LatencyView;
use crate::ui::component::maintenance;
use crate::ui::component::maintenance::WindowView;
use crate::ui::component::regions;
use crate::ui::component::regions::RegionsView;
use crate::ui::component::waterfall::waterfall;
use crate::ui::layout;
use crate::ui::layout::Frame;
use crate::ui::layout::Section;
use crate::ui::links::Act;
use crate::ui::text;

/// Ranges that can be shown.
const RANGES: [&str; 7] = ["1h", "6h", "24h", "7d", "30d", "90d", "1y"];

/// Everything on the page.
#[derive(Debug, Clone, PartialEq)]
pub struct MonitorPage {
    /// Which.
    pub id: MonitorId,
    /// What it is called.
    pub name: String,
    /// `http`, `tcp`.
    pub kind: &'static str,
    /// URL without user info, or `tcp://host:port`.
    pub target: String,
    /// Its group.
    pub group: Option<String>,
    /// How it is.
    pub state: Verdict,
    /// The same in a word that says more, such as "Late", with its look.
    pub said: Option<(Verdict, &'static str)>,
    /// Since when.
    pub since: UnixMillis,
    /// Who is at work on it, and why people hear nothing of it.
    pub marks: Vec<Mark>,
    /// Why it is not up.
    pub cause: Option<String>,
    /// What is said of pausing.
    pub pause: PauseState,
    /// Time between checks.
    pub interval: Duration,
    /// When the next check is due; `None` while paused, or when it is not checked from here.
    pub next_at: Option<UnixMillis>,
    /// This node checks it.
    pub is_here: bool,
    /// The maintenance window that is open for it, or the next one.
    pub maintenance: Option<WindowView>,
    /// `config.yaml:14`.
    pub origin: String,
    /// The YAML that stands there, without secrets; empty for one that stands in no file.
    pub written: String,
    /// Link for whoever has to act.
    pub runbook: Option<String>,
    /// What the regions say; `None` when this instance watches alone.
    pub regions: Option<RegionsView>,
    /// What a heartbeat is; nothing is checked then.
    pub beat: Option<BeatSection>,
    /// The newest check.
    pub last: Option<LastCheck>,
    /// The newest results, oldest first.
    pub recent: Vec<Tick>,
    /// What the database says.
    pub history: History,
    /// Its badge for other pages; `None` when no page that is open to everybody lists it.
    pub badge: Option<BadgeLine>,
}

/// A badge for other pages.
#[derive(Debug, Clone, PartialEq)]
pub struct BadgeLine {
    /// Where it is, from here.
    pub path: String,
    /// A line of Markdown that shows it and leads to the status page.
    pub markdown: String,
}

/// What is said of pausing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseState {
    /// It runs and may be paused.
    Running,
    /// An operator paused it.
    ByOperator,
    /// `enabled: false` stands in the config.
    ByConfig,
}

/// The newest check.
#[derive(Debug, Clone, PartialEq)]
pub struct LastCheck {
    /// When it began.
    pub at: UnixMillis,
    /// What it said.
    pub outcome: Outcome,
    /// Why it is not up.
    pub failure: Option<String>,
    /// HTTP status.
    pub status: Option<u16>,
    /// The address that was talked to.
    pub remote: Option<String>,
    /// When the certificate ends.
    pub certificate_not_after: Option<UnixMillis>,
    /// How long each phase took.
    pub timings: Timings,
    /// What happened, line by line.
    pub transcript: Vec<String>,
    /// Lines that found no room.
    pub n_dropped: u32,
}

/// What the database says, or why it cannot be read: the page must show the present even then.
#[derive(Debug, Clone, PartialEq)]
pub enum History {
    /// Read.
    Read(Box<Past>),
    /// Could not be read.
    Unreadable,
}

/// How it has been.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// Label and figure: 24 h, 7 d, 30 d, 90 d.
    pub uptimes: Vec<(&'static str, Uptime)>,
    /// Oldest first.
    pub days: Vec<DayBar>,
    /// The objective, if there is one.
    pub slo: Option<SloView>,
    /// The range that is shown, as it stands in the address.
    pub range: &'static str,
    /// How long each verdict held within it.
    pub totals: Totals,
    /// Response times within it.
    pub latency: LatencyView,
    /// Newest results, newest first.
    pub results: Vec<LastCheck>,
    /// Response times of the last day; empty where nobody else watches.
    pub samples: Vec<Sample>,
    /// Begin and end of that day.
    pub chart_span: (UnixMillis, UnixMillis),
    /// Newest first.
    pub incidents: Vec<IncidentRow>,
}

/// An objective and how it is met.
#[derive(Debug, Clone, PartialEq)]
pub struct SloView {
    /// Wanted share.
    pub target: f64,
    /// Over how long.
    pub window: Duration,
    /// What was reached.
    pub reached: Uptime,
}

/// The whole page.
#[must_use]
pub fn page(frame: &Frame, view: &MonitorPage) -> Markup {
    let content = html! {
        div.title-row data-watch=(view.id) {
            div { h1 { (view.name) } p.quiet { (view.target) @if let Some(group) = &view.group { ", group " (group) } } }
            @if frame.may_operate { (buttons(frame, view)) }
        }
        (facts(frame, view))
        @if frame.may_operate { (alert::silence_form(frame, &view.id)) }
        @if let Some(beat) = &view.beat { (heartbeat::section(beat, frame.now)) }
        @if let Some(found) = view.regions.as_ref().filter(|_| view.beat.is_none()) { (regions::section(found, frame.now)) }
        @if let Some(last) = &view.last { (last_check(frame, last, view.regions.is_some())) }
        @if view.regions.is_none() && view.beat.is_none() { section { h2 { "Last checks" } (chart::sparkline(&view.recent)) } }
        @match &view.history {
            History::Read(past) => (history(frame, past, view)),
            History::Unreadable => section { p.cause { "The history cannot be read at the moment. What is above is current." } },
        }
        (written(view))
        @if let Some(badge) = &view.badge { section { h2 { "Badge" } p { img src=(badge.path) alt={ "Badge of " (view.name) } height="20"; } p { code data-copy { (badge.markdown) } } } }
    };
    layout::operator(frame, Section::Monitors, &view.name, &content)
}

fn buttons(frame: &Frame, view: &MonitorPage) -> Markup {
    let button = |act: Act, label: &str| {
        html! { form method="post" action=(frame.links.act(&view.id, act)) { (layout::form_token(frame)) button type="submit" { (label) } } }
    };
    html! {
        div.buttons {
            @match view.pause {
                PauseState::Running => { @if view.beat.is_none() { (button(Act::Check, "Check now")) } (button(Act::Pause, "Pause")) },
                PauseState::ByOperator => { (button(Act::Resume, "Resume")) },
                PauseState::ByConfig => { span.quiet { "Disabled in the config" } },
            }
        }
    }
}

fn facts(frame: &Frame, view: &MonitorPage) -> Markup {
    html! {
        dl.facts {
            div { dt { "State" } dd { @match view.said { Some((look, word)) => (badge_saying(look, word)), None => (badge(view.state)) } " " (text::ago(view.since, frame.now)) (alert::marks(&view.marks, frame.now)) } }
            @if let Some(window) = &view.maintenance { div.full { dt { "Maintenance" } dd { (maintenance::line(window, frame.now)) } } }
            @if let Some(cause) = &view.cause { div.full { dt { "Cause" } dd.cause { (cause) } } }
            div { dt { "Kind" } dd { (view.kind) } }
            @if view.beat.is_none() { div { dt { "Interval" } dd { (text::coarse(view.interval)) } } }
            @if view.beat.is_none() { div { dt { "Next check" } dd { @match view.next_at { Some(at) => (text::until(at, frame.now)), None if view.is_here || view.state == Verdict::Paused => "paused", None => "by other nodes" } } } }
            div { dt { "Written in" } dd { code { (view.origin) } } }
            @if let Some(runbook) = &view.runbook { div { dt { "Runbook" } dd { (web_link(runbook)) } } }
        }
    }
}

/// What stands in the file, where one changes it.
fn written(view: &MonitorPage) -> Markup {
    html! {
        @if !view.written.is_empty() {
            section {
                h2 { "In the config" }
                p.quiet { "Written in " code { (view.origin) } ", without what it inherits from " code { "defaults" } " and templates. Secrets and what is sent are hidden, comments are left out." }
                pre.transcript { (view.written) }
            }
        }
    }
}

/// A link only when it leads to the web: `javascript:` in a config must not become a trap.
fn web_link(url: &str) -> Markup {
    html! {
        @if url.starts_with("https://") || url.starts_with("http://") { a href=(url) rel="noopener noreferrer" { (url) } } @else { (url) }
    }
}

fn last_check(frame: &Frame, last: &LastCheck, is_shared: bool) -> Markup {
    html! {
        section {
            h2 { "Newest check " @if is_shared { "of this node " } span.quiet { (text::ago(last.at, frame.now)) } }
            p {
                (badge(of_outcome(last.outcome)))
                @if let Some(status) = last.status { " status " (status) }
                @if let Some(remote) = &last.remote { " from " code { (remote) } }
            }
            @if let Some(failure) = &last.failure { p.cause { (failure) } }
            @if let Some(end) = last.certificate_not_after { p.quiet { "Certificate valid until " (text::time(end)) } }
            (waterfall(&last.timings))
            (transcript(last))
        }
    }
}

fn history(frame: &Frame, past: &Past, view: &MonitorPage) -> Markup {
    html! {
        section {
            h2 { "Availability" }
            dl.facts { @for (label, figure) in &past.uptimes { div { dt { (label) } dd { (bar::uptime(*figure)) } } } }
            (bar::days(&past.days))
            div.days-legend { span { (text::count(past.days.len(), "day")) } span { "today" } }
            @if let Some(slo) = &past.slo { (objective(slo)) }
        }
        section #range {
            div.title-row { h2 { "Over the last " (past.range) } (ranges(frame, past, view)) }
            (totals(&past.totals))
            @if view.beat.is_none() {
                h3 { "Response time" @if view.regions.is_some() { " from this node" } }
                (latency::section(&past.latency))
            }
        }
        @if let Some(shared) = view.regions.as_ref().filter(|_| view.beat.is_none()) {
            section { h2 { "Response time by region, last 24 h" } (regions::charts(&shared.rows, past.chart_span)) }
        }
        @if view.beat.is_none() { (results(past, frame, view.regions.is_some())) }
        section { h2 { "Incidents" } (incident::table(&past.incidents, &frame.links, frame.now)) }
    }
}

/// Every range as a link: none of them needs a script.
fn ranges(frame: &Frame, past: &Past, view: &MonitorPage) -> Markup {
    html! {
        nav.ranges aria-label="Range" { @for word in RANGES {
            a href={ (frame.links.monitor(&view.id)) "?range=" (word) "#range" } aria-current=[(word == past.range).then_some("true")] { (word) }
        } }
    }
}

/// How long it was what. The unknown, maintenance and pauses stand apart: none of them counts as up or down.
fn totals(totals: &Totals) -> Markup {
    let parts = [
        (Verdict::Up, totals.up),
        (Verdict::Degraded, totals.degraded),
        (Verdict::Down, totals.down),
        (Verdict::Unknown, totals.unknown),
        (Verdict::Maintenance, totals.maintenance),
        (Verdict::Paused, totals.paused),
    ];
    html! {
        dl.facts.totals {
            div { dt { "Available" } dd { b { @match totals.available() { Some(share) => (text::percent(share)), None => "no data" } } } }
            @for (state, held) in parts.into_iter().filter(|(_, held)| !held.is_zero()) {
                div { dt { (badge(state)) } dd { (text::coarse(held)) } }
            }
        }
    }
}

/// The newest results in full: what failed has its transcript.
fn results(past: &Past, frame: &Frame, is_shared: bool) -> Markup {
    html! {
        section {
            h2 { "Last results" @if is_shared { " of this node" } }
            @if past.results.is_empty() { p.quiet { "No result is kept yet." } } @else {
                div.scroll { table.list.results {
                    thead { tr { th { "State" } th { "Began" } th.num { "Took" } th { "Status" } th { "What happened" } } }
                    tbody { @for result in &past.results { tr data-key={ "result " (result.at.0) } {
                        td { (badge(of_outcome(result.outcome))) }
                        td { (text::ago(result.at, frame.now)) }
                        td.num { (text::latency(result.timings.total)) }
                        td { @match result.status { Some(status) => (status), None => span.quiet { "–" } } }
                        td.wide {
                            @match &result.failure { Some(failure) => p.cause { (failure) }, None => span.quiet { @if let Some(remote) = &result.remote { "from " (remote) } } }
                            (transcript(result))
                        }
                    } } }
                } }
            }
        }
    }
}

fn transcript(check: &LastCheck) -> Markup {
    html! {
        @if !check.transcript.is_empty() {
            details data-key={ "transcript " (check.at.0) } {
                summary { "Transcript" }
                pre.transcript { @for line in &check.transcript { (line) "\n" } @if check.n_dropped > 0 { (check.n_dropped) " more lines were not kept\n" } }
            }
        }
    }
}

fn objective(slo: &SloView) -> Markup {
    let met = slo.reached.fraction.map(|reached| slo.target <= reached);
    let (state, word) = match met {
        Some(true) => (Verdict::Up, "met"),
        Some(false) => (Verdict::Down, "missed"),
        None => (Verdict::Unknown, "no data yet"),
    };
    html! {
        p.slo {
            "Objective " (text::percent(slo.target)) " over " (text::coarse(slo.window)) ": " (bar::uptime(slo.reached)) ", "
            span.badge.(crate::ui::component::badge::class(state)) { (crate::ui::component::badge::shape(state)) " " (word) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_become_links() {
        assert!(!web_link("javascript:alert(1)").into_string().contains("<a"));
        assert!(web_link("https://wiki.example.com/x").into_string().contains("<a"));
    }
}
