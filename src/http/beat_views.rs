//! From a heartbeat's picture and its log to the view struct of its page. Pure.

use crate::engine::snapshot::HeartbeatView;
use crate::engine::snapshot::MonitorView;
use crate::http::api::heartbeats;
use crate::model::ping::Ignored;
use crate::model::ping::Meaning;
use crate::model::ping::PingEntry;
use crate::rules::calendar;
use crate::ui::component::heartbeat::BeatSection;
use crate::ui::component::heartbeat::PingRow;
use crate::ui::links::Links;

/// What the page of a heartbeat says of it; `None` for other monitors. `pings` is `None` when they cannot be read.
#[must_use]
pub fn section(view: &MonitorView, pings: Option<&[PingEntry]>, links: &Links) -> Option<BeatSection> {
    let (beat, spec) = (view.heartbeat.as_deref()?, view.monitor.heartbeat()?);
    let HeartbeatView { seen, n_missed, hint, .. } = beat;
    Some(BeatSection {
        state: heartbeats::state(view, beat),
        schedule: calendar::describe(&spec.beat.schedule),
        grace: spec.beat.grace,
        expected: seen.expected,
        deadline: seen.deadline,
        last_success: seen.last_success,
        running: seen.running.iter().map(|run| (run.run.as_ref().map(ToString::to_string), run.started)).collect(),
        n_missed: *n_missed,
        hint: hint.clone(),
        pings: pings.map(|pings| pings.iter().map(|ping| row(ping, view, links)).collect()),
    })
}

fn row(entry: &PingEntry, view: &MonitorView, links: &Links) -> PingRow {
    let mut notes: Vec<String> = entry.exit.map(|status| format!("exit status {status}")).into_iter().collect();
    if let Meaning::Ignored(why) = entry.meaning {
        notes.push(
            match why {
                Ignored::Held => "paused, and only people resume it",
                Ignored::Method => "only POST counts",
                Ignored::NoKeyword => "no keyword in the body",
            }
            .to_owned(),
        );
    }
    if entry.is_repeat {
        notes.push("sent again".to_owned());
    }
    let from = match &entry.arrival {
        None => format!("received by {}", entry.stamp.node),
        Some(arrival) => {
            let address = arrival.address.map(|address| address.to_string());
            let parts = [address, Some(arrival.method.clone()), arrival.agent.clone()];
            parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
        }
    };
    PingRow {
        number: entry.number,
        at: entry.stamp.at,
        kind: entry.meaning.word(),
        notes,
        run: entry.run.as_ref().map(ToString::to_string),
        took: entry.took,
        from,
        body: String::from_utf8_lossy(&entry.body).into_owned(),
        cut_from: entry.is_truncated().then_some(entry.body_bytes),
        raw: links.ping_body(&view.monitor.id, entry.number),
    }
}
