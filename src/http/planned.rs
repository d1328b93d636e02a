//! Which maintenance windows readers see: those that are open, and those of the days to come.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::Snapshot;
use crate::model::maintenance::Window;
use crate::model::monitor::Monitor;
use crate::model::page::StatusPage;
use crate::model::time::UnixMillis;
use crate::rules::maintenance;
use crate::ui::component::maintenance::WindowView;

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
