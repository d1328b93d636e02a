//! Which maintenance windows readers see: those that are open, and those of the days to come.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::Snapshot;
use crate::http::views::origin;
use crate::model::maintenance::Span;
use crate::model::maintenance::When;
use crate::model::maintenance::Window;
use crate::model::monitor::Monitor;
use crate::model::page::StatusPage;
use crate::model::schedule::Zone;
use crate::model::time::UnixMillis;
use crate::rules::maintenance;
use crate::ui::component::maintenance::WindowView;
use crate::ui::page::maintenance::MaintenanceView;
use crate::ui::page::maintenance::Stretch;
use crate::ui::page::maintenance::WindowCard;

/// Status pages announce windows that begin within this time.
const AHEAD: Duration = Duration::from_secs(7 * 86_400);

/// Of one window so many stretches are announced: of one that comes every hour the next few say it all.
const STRETCHES_MAX: usize = 3;

/// So many in all; a page of announcements is no status page.
const ANNOUNCED_MAX: usize = 20;

/// A calendar looks so far ahead.
const CALENDAR_AHEAD: Duration = Duration::from_secs(90 * 86_400);

/// Of one window so many stretches are in a calendar: one of every day for the time it looks ahead.
const CALENDAR_STRETCHES_MAX: usize = 90;

/// So many in all: a year's worth for a calendar that somebody subscribed to.
const CALENDAR_MAX: usize = 365;

/// Of one window so many stretches are on the operators' page: what comes every week is seen for a month.
const OPERATORS_STRETCHES: usize = 5;

/// Monitors of a window that are named there: what covers more is better read in the config.
const NAMED: usize = 30;

/// All windows of the config, for those who are signed in.
#[must_use]
pub fn of_operators(config: &Config, now: UnixMillis) -> MaintenanceView {
    let mut windows: Vec<WindowCard> = config.maintenance.iter().map(|window| card(window, config, now)).collect();
    windows.sort_by_key(|card| card.stretches.first().map_or((true, UnixMillis(0)), |next| (false, next.span.from)));
    MaintenanceView { windows }
}

fn card(window: &Window, config: &Config, now: UnixMillis) -> WindowCard {
    let zone = window.when.zone();
    let spans = maintenance::spans(&window.when, now, UnixMillis(i64::MAX), OPERATORS_STRETCHES);
    let covered: Vec<&Arc<Monitor>> = config.monitors.iter().filter(|monitor| window.monitors.contains(&monitor.id)).collect();
    WindowCard {
        name: window.name.clone(),
        message: window.message.clone(),
        rhythm: rhythm(&window.when),
        zone: zone.to_string(),
        stretches: spans.into_iter().map(|span| Stretch { span, shown: by_the_wall(zone, span) }).collect(),
        monitors: covered.iter().take(NAMED).map(|monitor| (monitor.id.clone(), monitor.name.clone())).collect(),
        n_more: covered.len().saturating_sub(NAMED),
        origin: origin(&window.origin),
    }
}

/// In the words of the config, and of what comes once also when it is or was.
fn rhythm(when: &When) -> String {
    match when {
        When::Once(span, zone) => format!("{when}, {}", by_the_wall(zone, *span)),
        When::Cron(..) | When::Rule(..) => when.to_string(),
    }
}

/// What the clock in a zone shows; the day of the end only when it is another one.
fn by_the_wall(zone: &Zone, span: Span) -> String {
    let (Some(from), Some(to)) = (zone.shown(span.from), zone.shown(span.to)) else {
        return format!("{} – {}", span.from.rfc3339(), span.to.rfc3339());
    };
    let end = if from.date() == to.date() { to.strftime("%H:%M") } else { to.strftime("%a %Y-%m-%d %H:%M") };
    format!("{} – {end}", from.strftime("%a %Y-%m-%d %H:%M"))
}

/// A window that covers what a page lists, with the names of that and of nothing else.
#[derive(Debug, Clone, PartialEq)]
pub struct Covering {
    window: Arc<Window>,
    services: Vec<String>,
}

/// Windows that cover what a page lists. When they are open is worked out by whoever wants to know it.
#[must_use]
pub fn covering(page: &StatusPage, snapshot: &Snapshot) -> Vec<Covering> {
    let mut listed: Vec<&Monitor> = Vec::new();
    for id in page.groups.iter().flat_map(|group| &group.monitors) {
        if let Some(view) = snapshot.monitors.get(id).filter(|view| !listed.iter().any(|known| known.id == view.monitor.id)) {
            listed.push(&view.monitor);
        }
    }
    let mut found: Vec<Covering> = Vec::new();
    for window in &snapshot.config.maintenance {
        let covered = listed.iter().filter(|monitor| window.monitors.contains(&monitor.id));
        let services: Vec<String> = covered.map(|monitor| monitor.name.clone()).collect();
        if !services.is_empty() {
            found.push(Covering { window: Arc::clone(window), services });
        }
    }
    found
}

/// What visitors of a page may know of its windows.
#[must_use]
pub fn for_page(covering: &[Covering], now: UnixMillis) -> Vec<WindowView> {
    within(covering, now, (AHEAD, STRETCHES_MAX, ANNOUNCED_MAX))
}

/// The same for its calendar, which looks further ahead.
#[must_use]
pub fn for_calendar(covering: &[Covering], now: UnixMillis) -> Vec<WindowView> {
    within(covering, now, (CALENDAR_AHEAD, CALENDAR_STRETCHES_MAX, CALENDAR_MAX))
}

fn within(covering: &[Covering], now: UnixMillis, (ahead, n_each, n_all): (Duration, usize, usize)) -> Vec<WindowView> {
    let mut found: Vec<WindowView> = covering
        .iter()
        .flat_map(|of| stretches(&of.window, now, (now + ahead, n_each)).map(|view| WindowView { services: of.services.clone(), ..view }))
        .collect();
    found.sort_by_key(|view| (!view.is_open, view.from, view.to));
    found.truncate(n_all);
    found
}

/// The window that is open for a monitor, or the next one.
#[must_use]
pub fn of_monitor(view: &MonitorView, snapshot: &Snapshot, now: UnixMillis) -> Option<WindowView> {
    if let Some(open) = &view.upkeep {
        return Some(WindowView { is_open: true, ..shown(&open.window, open.span.from, open.span.to) });
    }
    let windows = snapshot.config.maintenance.iter().filter(|window| window.monitors.contains(&view.monitor.id));
    let next = windows.filter_map(|window| stretches(window, now, (UnixMillis(i64::MAX), 1)).next());
    next.min_by_key(|view| view.from)
}

fn stretches(window: &Arc<Window>, now: UnixMillis, (until, n): (UnixMillis, usize)) -> impl Iterator<Item = WindowView> {
    let spans = maintenance::spans(&window.when, now, until, n);
    spans.into_iter().map(move |span| WindowView { is_open: span.holds(now), ..shown(window, span.from, span.to) })
}

fn shown(window: &Window, from: UnixMillis, to: UnixMillis) -> WindowView {
    WindowView { name: window.name.clone(), message: window.message.clone(), from, to, is_open: false, services: Vec::new() }
}
