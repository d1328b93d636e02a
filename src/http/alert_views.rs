//! From what the engine shows of alerts to what pages and the API say of them. Pure.

use crate::config;
use crate::engine::snapshot::AlertView;
use crate::engine::snapshot::Held;
use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::Snapshot;
use crate::http::acts;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::maintenance::Selection;
use crate::model::policy::Acknowledgement;
use crate::model::policy::Silence;
use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::ui::component::alert::AckView;
use crate::ui::component::alert::AlertSection;
use crate::ui::component::alert::Mark;
use crate::ui::component::alert::Waits;
use crate::ui::page::silences::SilenceRow;
use crate::ui::page::silences::SilencesView;
use crate::ui::text;

/// Monitors that a silence selects which are named in a row; of more only the number is said.
const NAMED: usize = 3;

/// What stands beside a monitor's name: who is at work on it, and why people hear nothing of it.
#[must_use]
pub fn marks(view: &MonitorView, snapshot: &Snapshot, now: UnixMillis) -> Vec<Mark> {
    let mut marks = Vec::new();
    let acknowledged = view.alerts.iter().filter_map(|alert| alert.acknowledged.as_ref()).find(|ack| ack.holds(now));
    marks.extend(acknowledged.map(|ack| Mark::Acknowledged { by: ack.by.clone(), until: ack.until }));
    marks.extend(silenced_until(view, snapshot, now).map(Mark::Silenced));
    let held = |alert: &AlertView| match alert.held.as_ref()? {
        Held::Parent(parent) | Held::Asking(parent) => Some(Mark::Hidden(name_of(parent, snapshot))),
        Held::Flapping(_) => Some(Mark::Flapping),
        // The first two are said already, the others are over in a moment.
        Held::Maintenance(_) | Held::Silence(..) | Held::Settling(_) | Held::Gathering(_) => None,
    };
    marks.extend(view.alerts.iter().find_map(held));
    marks
}

/// The end of the silence of a monitor that lasts longest.
#[must_use]
pub fn silenced_until(view: &MonitorView, snapshot: &Snapshot, now: UnixMillis) -> Option<UnixMillis> {
    let holding = snapshot.silences.iter().map(|(_, silence)| silence).filter(|silence| silence.holds(now));
    holding.filter(|silence| config::selects(&silence.wanted, &view.monitor)).map(|silence| silence.until).max()
}

/// Who is at work on an incident.
#[must_use]
pub fn acknowledged(view: &MonitorView, id: &IncidentId, now: UnixMillis) -> Option<AckView> {
    let alert = view.alerts.iter().find(|alert| alert.incident == *id)?;
    alert.acknowledged.as_ref().map(|ack| ack_view(ack, now))
}

fn ack_view(ack: &Acknowledgement, now: UnixMillis) -> AckView {
    AckView { by: ack.by.clone(), at: ack.at, until: ack.until, note: ack.note.clone(), holds: ack.holds(now) }
}

/// Who was told of an open incident, who waits and why, and who is at work on it; `None` once it is over.
#[must_use]
pub fn section(id: &IncidentId, snapshot: &Snapshot, now: UnixMillis) -> Option<AlertSection> {
    let view = snapshot.monitors.values().find(|view| view.incidents.iter().any(|incident| incident.id == *id))?;
    let alert = view.alerts.iter().find(|alert| alert.incident == *id);
    let names = |channels: &[crate::model::id::ChannelName]| channels.iter().map(ToString::to_string).collect();
    Some(AlertSection {
        incident: id.clone(),
        monitor: view.monitor.id.clone(),
        acknowledged: alert.and_then(|alert| alert.acknowledged.as_ref()).map(|ack| ack_view(ack, now)),
        told: alert.map(|alert| names(&alert.told)).unwrap_or_default(),
        waiting: alert.map(|alert| names(&alert.waiting)).unwrap_or_default(),
        waits: alert.and_then(|alert| alert.held.as_ref()).map(|held| waits(held, snapshot)),
        next_at: alert.and_then(|alert| alert.next_at).filter(|at| now < *at),
        morning: acts::next_morning(now),
    })
}

fn waits(held: &Held, snapshot: &Snapshot) -> Waits {
    match held {
        Held::Maintenance(until) => Waits::Maintenance(*until),
        Held::Silence(_, until) => Waits::Silence(*until),
        Held::Flapping(until) => Waits::Flapping(*until),
        Held::Parent(parent) => {
            let is_down = snapshot.monitors.get(parent).is_some_and(|view| view.verdict == Verdict::Down);
            Waits::Parent { name: name_of(parent, snapshot), is_down }
        }
        Held::Asking(parent) => Waits::Asking(name_of(parent, snapshot)),
        Held::Settling(until) => Waits::Settling(*until),
        Held::Gathering(until) => Waits::Gathering(*until),
    }
}

fn name_of(monitor: &MonitorId, snapshot: &Snapshot) -> String {
    snapshot.monitors.get(monitor).map_or_else(|| monitor.to_string(), |view| view.monitor.name.clone())
}

/// All silences.
#[must_use]
pub fn silences(snapshot: &Snapshot) -> SilencesView {
    let row = |(id, silence): &(crate::model::policy::SilenceId, Silence)| {
        let selected = selected(&silence.wanted, snapshot);
        SilenceRow {
            id: id.clone(),
            wanted: wanted_words(&silence.wanted),
            n_selected: selected.len(),
            named: selected.into_iter().take(NAMED).collect(),
            from: silence.from,
            until: silence.until,
            by: silence.by.clone(),
            note: silence.note.clone(),
        }
    };
    let mut rows: Vec<SilenceRow> = snapshot.silences.iter().map(row).collect();
    rows.sort_by_key(|row| (row.until, row.id.clone()));
    SilencesView { rows }
}

/// Names of the monitors that a selection means now, in the order of the config.
#[must_use]
pub fn selected(wanted: &Selection, snapshot: &Snapshot) -> Vec<String> {
    let monitors = snapshot.config.monitors.iter().filter(|monitor| config::selects(wanted, monitor));
    monitors.map(|monitor| monitor.name.clone()).collect()
}

/// What a selection asks for: the kind of pattern, and the pattern.
#[must_use]
pub fn wanted_words(wanted: &Selection) -> Vec<(&'static str, String)> {
    let names = wanted.names.iter().map(|name| ("monitor", name.clone()));
    let groups = wanted.groups.iter().map(|group| ("group", group.clone()));
    let labels = wanted.labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ");
    names.chain(groups).chain((!labels.is_empty()).then_some(("labels", labels))).collect()
}

/// What was done, for whoever did it.
#[must_use]
pub fn noted(ack: &Acknowledgement) -> String {
    match ack.until {
        None => "It is noted that somebody is at work on it. Nobody is reminded any more.".to_owned(),
        Some(until) => format!("Snoozed: nobody is reminded before {}.", text::utc(until)),
    }
}

/// The same of a silence.
#[must_use]
pub fn silenced(silence: &Silence) -> String {
    format!("Silenced until {}. What is still wrong then is told then.", text::utc(silence.until))
}
