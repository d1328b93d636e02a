//! Durable form of a notification's [`Subject`]; its other parts are columns of the outbox.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::notification::Again;
use crate::model::notification::AlertFacts;
use crate::model::notification::EventKind;
use crate::model::notification::IncidentFacts;
use crate::model::notification::Notification;
use crate::model::notification::Subject;
use crate::model::policy::Acknowledgement;
use crate::model::time::UnixMillis;
use crate::store::row::incident::close_reason_of;
use crate::store::row::incident::confidence_of;
use crate::store::row::incident::confidence_word;
use crate::store::row::incident::diagnosis_of;
use crate::store::row::incident::lane_of;
use crate::store::row::incident::region_words;
use crate::store::row::incident::regions_of;
use crate::store::row::state::verdict_of;

#[derive(Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
enum SubjectRow {
    Incident(Box<FactsRow>),
    Vigilmon { title: String, text: String },
    Passed(Box<FactsRow>),
    Bundle { parts: Vec<PartRow> },
}

#[derive(Serialize, Deserialize)]
struct PartRow {
    key: String,
    channel: String,
    event: String,
    at: i64,
    subject: SubjectRow,
}

#[derive(Serialize, Deserialize)]
struct FactsRow {
    incident: String,
    monitor: String,
    monitor_name: String,
    group: Option<String>,
    target: String,
    status: String,
    started_at: i64,
    duration_ms: u64,
    cause: String,
    cause_code: String,
    lane: String,
    closed: Option<String>,
    regions_failing: Vec<String>,
    #[serde(default)]
    regions_failed: Vec<String>,
    regions_fine: Vec<String>,
    regions_unknown: Vec<String>,
    confidence: String,
    #[serde(default = "alone")]
    n_voters: (usize, usize),
    #[serde(default)]
    diagnosis: Option<String>,
    evidence: String,
    runbook: Option<String>,
    #[serde(default, skip_serializing_if = "AlertRow::is_empty")]
    alert: AlertRow,
}

#[derive(Serialize, Deserialize, Default, PartialEq)]
#[serde(default)]
struct AlertRow {
    acknowledged: Option<AcknowledgedRow>,
    again: Option<String>,
    n: u32,
    n_dependents: usize,
    n_flaps: Option<u32>,
}

impl AlertRow {
    fn is_empty(&self) -> bool {
        *self == AlertRow::default()
    }
}

#[derive(Serialize, Deserialize, PartialEq)]
struct AcknowledgedRow {
    by: String,
    at: i64,
    until: Option<i64>,
    note: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by_channel: Option<String>,
}

/// JSON text of a subject. The duration is kept to the millisecond: it is the difference of two times that are.
pub(in crate::store) fn to_json(subject: &Subject) -> String {
    super::json(&subject_row(subject))
}

/// The subject of a JSON text.
pub(in crate::store) fn from_json(text: &str) -> Result<Subject, String> {
    subject_of(super::parsed(text)?)
}

fn subject_row(subject: &Subject) -> SubjectRow {
    match subject {
        Subject::Incident(facts) => SubjectRow::Incident(Box::new(facts_row(facts))),
        Subject::SelfNotice { title, text } => SubjectRow::Vigilmon { title: title.clone(), text: text.clone() },
        Subject::Passed(facts) => SubjectRow::Passed(Box::new(facts_row(facts))),
        Subject::Bundle(parts) => SubjectRow::Bundle { parts: parts.iter().map(part_row).collect() },
    }
}

fn part_row(part: &Notification) -> PartRow {
    let Notification { key, channel, event, at, subject, may_be_repeat: _ } = part;
    PartRow {
        key: key.clone(),
        channel: channel.as_str().to_owned(),
        event: event.word().to_owned(),
        at: at.0,
        subject: subject_row(subject),
    }
}

fn subject_of(row: SubjectRow) -> Result<Subject, String> {
    Ok(match row {
        SubjectRow::Incident(row) => Subject::Incident(Box::new(facts(*row)?)),
        SubjectRow::Vigilmon { title, text } => Subject::SelfNotice { title, text },
        SubjectRow::Passed(row) => Subject::Passed(Box::new(facts(*row)?)),
        SubjectRow::Bundle { parts } => Subject::Bundle(parts.into_iter().map(part_of).collect::<Result<_, _>>()?),
    })
}

fn part_of(row: PartRow) -> Result<Notification, String> {
    Ok(Notification {
        key: row.key,
        channel: ChannelName::parse(&row.channel).map_err(|error| error.to_string())?,
        event: event_of(&row.event)?,
        at: UnixMillis(row.at),
        subject: subject_of(row.subject)?,
        may_be_repeat: false,
    })
}

/// The kind of event of its word.
pub(in crate::store) fn event_of(word: &str) -> Result<EventKind, String> {
    EventKind::ALL.into_iter().find(|kind| kind.word() == word).ok_or_else(|| format!("`{word}` is not an event"))
}

/// Messages of builds that knew no peers.
fn alone() -> (usize, usize) {
    (1, 1)
}

fn facts_row(facts: &IncidentFacts) -> FactsRow {
    let IncidentFacts {
        incident,
        monitor,
        monitor_name,
        group,
        target,
        status,
        started_at,
        duration,
        cause,
        cause_code,
        lane,
        closed,
        regions_failing,
        regions_failed,
        regions_fine,
        regions_unknown,
        confidence,
        n_voters,
        diagnosis,
        evidence,
        runbook,
        alert,
    } = facts;
    FactsRow {
        incident: incident.as_str().to_owned(),
        monitor: monitor.as_str().to_owned(),
        monitor_name: monitor_name.clone(),
        group: group.clone(),
        target: target.clone(),
        status: status.word().to_owned(),
        started_at: started_at.0,
        duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        cause: cause.clone(),
        cause_code: cause_code.clone(),
        lane: lane.word().to_owned(),
        closed: closed.map(|how| how.word().to_owned()),
        regions_failing: region_words(regions_failing),
        regions_failed: region_words(regions_failed),
        regions_fine: region_words(regions_fine),
        regions_unknown: region_words(regions_unknown),
        confidence: confidence_word(*confidence).to_owned(),
        n_voters: *n_voters,
        diagnosis: diagnosis.map(|diagnosis| diagnosis.word().to_owned()),
        evidence: evidence.clone(),
        runbook: runbook.clone(),
        alert: alert_row(alert),
    }
}

fn alert_row(alert: &AlertFacts) -> AlertRow {
    let AlertFacts { acknowledged, again, n_dependents, n_flaps } = alert;
    let (again, n) = match again {
        None => (None, 0),
        Some(Again::Reminder(n)) => (Some("reminder"), *n),
        Some(Again::Escalation) => (Some("escalation"), 0),
        Some(Again::SnoozeOver) => (Some("snooze"), 0),
        Some(Again::Withdrawn) => (Some("withdrawn"), 0),
    };
    AlertRow {
        acknowledged: acknowledged.as_ref().map(|ack| AcknowledgedRow {
            by: ack.by.clone(),
            at: ack.at.0,
            until: ack.until.map(|until| until.0),
            note: ack.note.clone(),
            by_channel: ack.by_channel.as_ref().map(ToString::to_string),
        }),
        again: again.map(str::to_owned),
        n,
        n_dependents: *n_dependents,
        n_flaps: *n_flaps,
    }
}

/// A reason for telling again that a newer build knows is none.
fn alert(row: AlertRow) -> AlertFacts {
    AlertFacts {
        acknowledged: row.acknowledged.map(|ack| Acknowledgement {
            by: ack.by,
            at: UnixMillis(ack.at),
            until: ack.until.map(UnixMillis),
            note: ack.note,
            by_channel: ack.by_channel.and_then(|name| ChannelName::parse(&name).ok()),
        }),
        again: match row.again.as_deref() {
            Some("reminder") => Some(Again::Reminder(row.n)),
            Some("escalation") => Some(Again::Escalation),
            Some("snooze") => Some(Again::SnoozeOver),
            Some("withdrawn") => Some(Again::Withdrawn),
            Some(_) | None => None,
        },
        n_dependents: row.n_dependents,
        n_flaps: row.n_flaps,
    }
}

fn facts(row: FactsRow) -> Result<IncidentFacts, String> {
    Ok(IncidentFacts {
        incident: IncidentId::from_derived(&row.incident),
        monitor: MonitorId::parse(&row.monitor).map_err(|error| error.to_string())?,
        monitor_name: row.monitor_name,
        group: row.group,
        target: row.target,
        status: verdict_of(&row.status)?,
        started_at: UnixMillis(row.started_at),
        duration: Duration::from_millis(row.duration_ms),
        cause: row.cause,
        cause_code: row.cause_code,
        lane: lane_of(&row.lane)?,
        closed: row.closed.as_deref().map(close_reason_of).transpose()?,
        regions_failing: regions_of(&row.regions_failing)?,
        regions_failed: regions_of(&row.regions_failed)?,
        regions_fine: regions_of(&row.regions_fine)?,
        regions_unknown: regions_of(&row.regions_unknown)?,
        confidence: confidence_of(&row.confidence)?,
        n_voters: row.n_voters,
        diagnosis: row.diagnosis.as_deref().and_then(diagnosis_of),
        evidence: row.evidence,
        runbook: row.runbook,
        alert: alert(row.alert),
    })
}
