//! Made-up messages, for looking at what a channel would send. They belong to no incident and are kept nowhere. Pure.

use std::time::Duration;

use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::id::Region;
use crate::model::incident::CloseReason;
use crate::model::incident::Lane;
use crate::model::monitor::Monitor;
use crate::model::notification::AlertFacts;
use crate::model::notification::EventKind;
use crate::model::notification::IncidentFacts;
use crate::model::notification::Notification;
use crate::model::notification::Subject;
use crate::model::policy::Acknowledgement;
use crate::model::time::UnixMillis;
use crate::model::verdict::Confidence;
use crate::model::verdict::Verdict;
use crate::notifier::payload::test_notice;

/// How long a made-up incident has lasted.
const LASTED: Duration = Duration::from_secs(7 * 60);

/// A message about an incident that a monitor might have.
#[must_use]
pub fn sample(channel: ChannelName, event: EventKind, monitor: &Monitor, at: UnixMillis) -> Notification {
    let key = format!("sample:{channel}:{}", event.word());
    if event == EventKind::SelfNotice {
        return Notification { key, ..test_notice(channel, at) };
    }
    let subject = Subject::Incident(Box::new(facts(event, monitor, at)));
    Notification { key, channel, event, at, subject, may_be_repeat: false }
}

fn acknowledgement(at: UnixMillis) -> Acknowledgement {
    Acknowledgement { by: "ada".to_owned(), at, until: None, note: "the database has no room left".to_owned(), by_channel: None }
}

fn facts(event: EventKind, monitor: &Monitor, at: UnixMillis) -> IncidentFacts {
    let is_over = event == EventKind::Recovered;
    let (status, lane, cause, cause_code) = match event {
        EventKind::Down | EventKind::Reminder | EventKind::Acknowledged | EventKind::SelfNotice => {
            (Verdict::Down, Lane::Outage, "it answered 503", "status")
        }
        EventKind::Recovered => (Verdict::Up, Lane::Outage, "it answered 503", "status"),
        EventKind::Degraded => (Verdict::Degraded, Lane::Degradation, "it answered after 3.2 s, more than 2 s", "slow"),
        EventKind::Certificate => {
            (Verdict::Degraded, Lane::Degradation, "the certificate for example.com ends in 13 days", "certificate_ends")
        }
        EventKind::Regional => (Verdict::Up, Lane::Regional, "it answered 503", "status"),
    };
    let regions = |names: &[&str]| names.iter().filter_map(|name| Region::parse(name).ok()).collect::<Vec<_>>();
    let (bad, good) = if lane == Lane::Regional { (&["us"][..], &["eu", "ap"][..]) } else { (&["us", "eu"][..], &["ap"][..]) };
    IncidentFacts {
        incident: IncidentId::from_derived("sample"),
        monitor: monitor.id.clone(),
        monitor_name: monitor.name.clone(),
        group: monitor.group.clone(),
        target: monitor.target(),
        status,
        started_at: at.minus(LASTED),
        duration: if is_over || matches!(event, EventKind::Reminder | EventKind::Acknowledged) { LASTED } else { Duration::ZERO },
        cause: cause.to_owned(),
        cause_code: cause_code.to_owned(),
        lane,
        closed: is_over.then_some(CloseReason::Recovered),
        regions_failing: if is_over { Vec::new() } else { regions(bad) },
        regions_failed: regions(bad),
        regions_fine: if is_over { regions(&[bad, good].concat()) } else { regions(good) },
        regions_unknown: Vec::new(),
        confidence: Confidence::Full,
        n_voters: (3, 3),
        diagnosis: None,
        evidence: "from 192.0.2.1:443, status 503, total 120 ms".to_owned(),
        runbook: monitor.runbook.clone(),
        alert: AlertFacts { acknowledged: (event == EventKind::Acknowledged).then(|| acknowledgement(at)), ..AlertFacts::default() },
    }
}
