//! What people say about alerts, and who was told: for programs. A promise like the rest of the API.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::engine::snapshot::AlertView;
use crate::engine::snapshot::Held;
use crate::engine::snapshot::Snapshot;
use crate::http::alert_views;
use crate::model::policy::Acknowledgement;
use crate::model::policy::Silence;
use crate::model::policy::SilenceId;
use crate::model::time::UnixMillis;

/// How far people have been told of an open incident.
#[derive(Debug, Serialize, Default)]
pub struct Alert {
    /// Who is at work on it.
    acknowledged: Option<Ack>,
    /// Channels that were told.
    told: Vec<String>,
    /// Channels that are to be told and have to wait.
    waiting: Vec<String>,
    /// What they wait for.
    held: Option<HeldBody>,
    /// When somebody is told next, as far as only time is waited for.
    next_at: Option<String>,
}

#[derive(Debug, Serialize)]
struct Ack {
    by: String,
    at: String,
    /// `None`: until the end of the incident.
    until: Option<String>,
    note: String,
}

#[derive(Debug, Serialize, Default)]
struct HeldBody {
    /// `maintenance`, `silence`, `flapping`, `parent`, `asking`, `settling` or `gathering`.
    reason: &'static str,
    until: Option<String>,
    /// The monitor that is waited for.
    monitor: Option<String>,
    silence: Option<String>,
}

/// All silences.
#[derive(Debug, Serialize)]
pub struct Silences {
    silences: Vec<SilenceBody>,
}

#[derive(Debug, Serialize)]
struct SilenceBody {
    id: String,
    monitors: Vec<String>,
    groups: Vec<String>,
    labels: BTreeMap<String, String>,
    /// Names of the monitors that it means now.
    selects: Vec<String>,
    from: String,
    until: String,
    by: String,
    note: String,
}

/// Answer to a new silence.
#[derive(Debug, Serialize)]
pub struct Silenced {
    /// Always true; failures have another body and status.
    pub done: bool,
    /// By which it is ended.
    pub id: String,
    /// Names of the monitors that it means now.
    pub selects: Vec<String>,
    /// Its end.
    pub until: String,
}

/// Answer to an acknowledgement, or its withdrawal, on the control socket.
#[derive(Debug, Serialize)]
pub struct Acted {
    /// Which incidents.
    pub incidents: Vec<ActedOn>,
}

/// An incident that something was said of.
#[derive(Debug, Serialize)]
pub struct ActedOn {
    /// Which.
    pub id: String,
    /// Name of its monitor.
    pub monitor: String,
}

/// How far people have been told.
#[must_use]
pub fn alert(view: Option<&AlertView>) -> Alert {
    let Some(view) = view else { return Alert::default() };
    Alert {
        acknowledged: view.acknowledged.as_ref().map(ack),
        told: view.told.iter().map(ToString::to_string).collect(),
        waiting: view.waiting.iter().map(ToString::to_string).collect(),
        held: view.held.as_ref().map(held),
        next_at: view.next_at.map(UnixMillis::rfc3339),
    }
}

fn ack(ack: &Acknowledgement) -> Ack {
    Ack { by: ack.by.clone(), at: ack.at.rfc3339(), until: ack.until.map(UnixMillis::rfc3339), note: ack.note.clone() }
}

fn held(held: &Held) -> HeldBody {
    let none = HeldBody::default();
    match held {
        Held::Maintenance(until) => HeldBody { reason: "maintenance", until: Some(until.rfc3339()), ..none },
        Held::Silence(id, until) => HeldBody { reason: "silence", until: Some(until.rfc3339()), silence: Some(id.to_string()), ..none },
        Held::Flapping(until) => HeldBody { reason: "flapping", until: Some(until.rfc3339()), ..none },
        Held::Parent(parent) => HeldBody { reason: "parent", monitor: Some(parent.to_string()), ..none },
        Held::Asking(parent) => HeldBody { reason: "asking", monitor: Some(parent.to_string()), ..none },
        Held::Settling(until) => HeldBody { reason: "settling", until: Some(until.rfc3339()), ..none },
        Held::Gathering(until) => HeldBody { reason: "gathering", until: Some(until.rfc3339()), ..none },
    }
}

/// All silences that hold or will.
#[must_use]
pub fn silences(snapshot: &Snapshot) -> Silences {
    Silences { silences: snapshot.silences.iter().map(|(id, silence)| silence_body(id, silence, snapshot)).collect() }
}

fn silence_body(id: &SilenceId, silence: &Silence, snapshot: &Snapshot) -> SilenceBody {
    SilenceBody {
        id: id.to_string(),
        monitors: silence.wanted.names.clone(),
        groups: silence.wanted.groups.clone(),
        labels: silence.wanted.labels.clone(),
        selects: alert_views::selected(&silence.wanted, snapshot),
        from: silence.from.rfc3339(),
        until: silence.until.rfc3339(),
        by: silence.by.clone(),
        note: silence.note.clone(),
    }
}

/// What became of a new silence.
#[must_use]
pub fn silenced(id: &SilenceId, silence: &Silence, snapshot: &Snapshot) -> Silenced {
    let selects = alert_views::selected(&silence.wanted, snapshot);
    Silenced { done: true, id: id.to_string(), selects, until: silence.until.rfc3339() }
}
