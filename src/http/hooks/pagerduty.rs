//! Incidents that somebody acknowledged in PagerDuty, or that are nobody's any more there.
//!
//! PagerDuty signs what it says, and not when: so an event counts for nothing that began after it, and an older one for nothing once a newer
//! one was heard. An acknowledgement that came from here says by which channel, and is not told to that channel again.

use hyper::StatusCode;
use serde_json::Value;

use crate::config::Config;
use crate::engine::handle::EngineHandle;
use crate::engine::snapshot::AlertView;
use crate::engine::snapshot::Snapshot;
use crate::http::acts::point;
use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::api::Done;
use crate::http::error::Refusal;
use crate::http::hooks::Hooks;
use crate::http::hooks::is_signed;
use crate::http::hooks::person_in;
use crate::http::hooks::spec_of;
use crate::http::limits::HOOK_TIMEOUT;
use crate::http::operator;
use crate::http::random::digest;
use crate::http::viewer::Desk;
use crate::http::visit::Visit;
use crate::model::channel::ChannelSpec;
use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::policy::Acknowledgement;
use crate::model::time::UnixMillis;
use crate::notifier::compose::monitor_of;

/// Signatures that are looked at: PagerDuty sends one for each secret, of which there are two while one is exchanged.
const SIGNATURES_MAX: usize = 4;

/// What became of an incident there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// Somebody is at work on it.
    Acknowledged,
    /// Nobody is, after all: the time for it is over.
    Unacknowledged,
}

/// An event that says something about one of our monitors.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Event {
    id: String,
    what: What,
    monitor: MonitorId,
    /// Who, as it is told.
    by: String,
    at: UnixMillis,
}

/// Whether the visit was signed by a secret of the channel.
pub(super) fn is_proved(config: &Config, name: &ChannelName, visit: &Visit) -> bool {
    let Some(ChannelSpec::PagerDuty(spec)) = spec_of(config, name) else { return false };
    let signatures = visit.header("x-pagerduty-signature").unwrap_or_default();
    let signatures: Vec<&str> = signatures.split(',').filter_map(|one| one.trim().strip_prefix("v1=")).take(SIGNATURES_MAX).collect();
    spec.webhook_secrets.iter().any(|secret| signatures.iter().any(|signature| is_signed(secret, &[&visit.body], signature)))
}

/// Does what an event says; of those that say nothing about our incidents only the arrival is confirmed.
pub(super) async fn take(hooks: &Hooks, desk: &Desk, visit: &Visit, name: &ChannelName) -> Result<Answer, Refusal> {
    let confirmed = Ok(answer::json(StatusCode::OK, &Done { done: true }));
    let Some(event) = event(&visit.body) else { return confirmed };
    let alarm = digest(&[name.as_str().as_bytes(), event.monitor.as_str().as_bytes()]);
    let report = digest(&[name.as_str().as_bytes(), event.id.as_bytes()]);
    if hooks.newest.is_older(&alarm, event.at) || !hooks.done.begin(report, visit.now.mono) {
        return confirmed;
    }
    let snapshot = desk.engine.snapshot();
    let acts = async {
        for (incident, alert) in concerned(&snapshot, name, &event) {
            hooks.uses.count(&incident, visit.now.mono)?;
            act(&desk.engine, (name, &event), &incident, alert, visit.now.wall).await?;
        }
        Ok::<(), Refusal>(())
    };
    if let Err(refusal) = tokio::time::timeout(HOOK_TIMEOUT, acts).await.unwrap_or(Err(Refusal::Busy)) {
        // PagerDuty comes again.
        hooks.done.undo(&report);
        return Err(refusal);
    }
    hooks.newest.note(alarm, event.at);
    confirmed
}

/// Our incidents of that monitor which the channel was told of, and which had begun by then.
fn concerned<'a>(snapshot: &'a Snapshot, name: &ChannelName, event: &Event) -> Vec<(IncidentId, &'a AlertView)> {
    let Some(view) = snapshot.monitors.get(&event.monitor) else { return Vec::new() };
    let begun = view.incidents.iter().filter(|incident| incident.opened_at <= event.at);
    let alert_of = |id: &IncidentId| view.alerts.iter().find(|alert| alert.incident == *id && alert.told.contains(name));
    begun.filter_map(|incident| Some((incident.id.clone(), alert_of(&incident.id)?))).collect()
}

async fn act(
    engine: &EngineHandle,
    (name, event): (&ChannelName, &Event),
    incident: &IncidentId,
    alert: &AlertView,
    now: UnixMillis,
) -> Result<(), Refusal> {
    let known = alert.acknowledged.as_ref();
    let done = match event.what {
        // Whoever said so here was told to PagerDuty, which confirms it; and a snooze must not become endless by that.
        What::Acknowledged if known.is_some_and(|ack| ack.holds(now)) => Ok(()),
        What::Acknowledged => {
            let (by, by_channel) = (event.by.clone(), Some(name.clone()));
            let ack = Acknowledgement { by, at: now, until: None, note: String::new(), by_channel };
            operator::acknowledge(engine, incident, ack).await
        }
        // What was said elsewhere is not PagerDuty's to take back, and an end that came late is of an earlier one.
        What::Unacknowledged if known.is_some_and(|ack| ack.by_channel.as_ref() == Some(name) && ack.at <= event.at) => {
            operator::withdraw(engine, incident, &event.by).await
        }
        What::Unacknowledged => Ok(()),
    };
    match done {
        // It was over meanwhile; to come again would not change that.
        Err(Refusal::Conflict(_) | Refusal::NotFound) | Ok(()) => Ok(()),
        Err(refusal) => Err(refusal),
    }
}

/// What is said about one of our monitors. What our own messages, or those of another system, did there by the events API is nobody's word.
fn event(body: &[u8]) -> Option<Event> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let event = &body["event"];
    let agent = &event["agent"];
    let what = match event["event_type"].as_str()? {
        "incident.acknowledged" if agent["type"].as_str().is_some_and(|kind| kind.contains("integration")) => return None,
        "incident.acknowledged" => What::Acknowledged,
        "incident.unacknowledged" => What::Unacknowledged,
        _ => return None,
    };
    Some(Event {
        id: event["id"].as_str()?.to_owned(),
        what,
        monitor: monitor_of(event["data"]["incident_key"].as_str()?)?,
        by: person_in(agent["summary"].as_str().unwrap_or_default(), "PagerDuty"),
        at: point(event["occurred_at"].as_str()?)?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(kind: &str, agent: &str, key: &str) -> Vec<u8> {
        json!({"event": {
            "id": "01CHJXCJ6G5GYIH17VBA7KPEJC",
            "event_type": kind,
            "occurred_at": "2026-06-30T12:00:01.169Z",
            "agent": {"summary": "Ada\u{202e}", "type": agent},
            "data": {"id": "PGR0VU2", "type": "incident", "incident_key": key, "status": "acknowledged"},
        }})
        .to_string()
        .into_bytes()
    }

    #[test]
    fn an_event_is_read_when_it_is_about_one_of_our_monitors() {
        let found = event(&text("incident.acknowledged", "user_reference", "vigilmon:api")).expect("an event");
        assert_eq!((found.what, found.monitor.as_str(), found.by.as_str()), (What::Acknowledged, "api", "Ada in PagerDuty"));
        assert_eq!(found.at, UnixMillis(1_782_820_801_169));
        assert!(event(&text("incident.unacknowledged", "service_reference", "vigilmon:api")).is_some());
        for (kind, agent, key) in [
            ("incident.resolved", "user_reference", "vigilmon:api"),
            ("pagey.ping", "user_reference", "vigilmon:api"),
            ("incident.acknowledged", "events_api_v2_inbound_integration_reference", "vigilmon:api"),
            ("incident.acknowledged", "user_reference", "other:api"),
            ("incident.acknowledged", "user_reference", "vigilmon:"),
            ("incident.acknowledged", "user_reference", "vigilmon:<b>"),
        ] {
            assert_eq!(event(&text(kind, agent, key)), None, "{kind} {agent} {key}");
        }
        for other in [&b""[..], b"[]", b"{}", b"{\"event\":{\"event_type\":7}}", b"\xff"] {
            assert_eq!(event(other), None);
        }
    }
}
