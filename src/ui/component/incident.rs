//! Incidents as operators see them: a table, newest first.

use std::time::Duration;

use maud::Markup;
use maud::html;

use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::incident::Lane;
use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::ui::component::badge::badge;
use crate::ui::component::badge::class;
use crate::ui::component::badge::shape;
use crate::ui::links::Links;
use crate::ui::text;

/// One incident in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentRow {
    /// Which.
    pub id: IncidentId,
    /// Whose; `None` when the monitor is no longer configured.
    pub monitor: Option<MonitorId>,
    /// What the monitor was called when it opened.
    pub monitor_name: String,
    /// What kind.
    pub lane: Lane,
    /// Since when.
    pub opened_at: UnixMillis,
    /// Until when, and the word for how it ended; `None` while it is open.
    pub closed: Option<(UnixMillis, &'static str)>,
    /// How long it has lasted, or lasted.
    pub duration: Duration,
    /// Why.
    pub cause: String,
    /// From where it failed; empty when there was only one place to look from.
    pub regions: Vec<String>,
}

/// What a lane looks like while it is open.
#[must_use]
pub fn state_of(lane: Lane) -> Verdict {
    match lane {
        Lane::Outage => Verdict::Down,
        Lane::Degradation | Lane::Regional => Verdict::Degraded,
    }
}

/// State of an open incident: regional trouble has a word of its own, because the monitor is not degraded.
#[must_use]
pub fn open_badge(lane: Lane) -> Markup {
    let state = state_of(lane);
    match lane {
        Lane::Outage | Lane::Degradation => badge(state),
        Lane::Regional => html! { span.badge.(class(state)) { (shape(state)) " Regional" } },
    }
}

/// The table; one sentence when there is nothing to show.
#[must_use]
pub fn table(rows: &[IncidentRow], links: &Links, now: UnixMillis) -> Markup {
    if rows.is_empty() {
        return html! { p.quiet { "No incidents." } };
    }
    html! {
        div.scroll { table.list.incidents {
            thead { tr { th { "State" } th { "Monitor" } th { "Cause" } th { "Began" } th.num { "Lasted" } } }
            tbody {
                @for row in rows { tr data-key=(row.id) {
                    // As a card it is the state that one sees and taps first.
                    td { a.plain href=(links.incident(&row.id)) { @match row.closed {
                        None => (open_badge(row.lane)),
                        Some((_, how)) => span.quiet { (row.lane.word()) ", " (how.replace('_', " ")) },
                    } } }
                    td { @match &row.monitor {
                        Some(id) => a href=(links.monitor(id)) { (row.monitor_name) },
                        None => { (row.monitor_name) },
                    } }
                    td.wide { a href=(links.incident(&row.id)) { (row.cause) } @if !row.regions.is_empty() { p.quiet { "from " (row.regions.join(", ")) } } }
                    td data-label="Began" { (text::short(row.opened_at, now)) }
                    td.num data-label="Lasted" { (text::coarse(row.duration)) }
                } }
            }
        } }
    }
}
