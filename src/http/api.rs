//! Wire types of the API and of the control socket. What is written here is a promise: fields are added, never renamed.

pub mod acts;
pub mod channels;
pub mod healthchecks;
pub mod heartbeats;
pub mod peers;
pub mod writings;

use serde::Serialize;

use crate::config::Problem;
use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::Snapshot;
use crate::engine::snapshot::UplinkView;
use crate::http::ReloadAnswer;
use crate::http::regions;
use crate::http::views;
use crate::model::id::Region;
use crate::model::incident::Incident;
use crate::model::peer::Vantage;
use crate::model::result::CheckResult;
use crate::model::result::Phase;
use crate::model::result::Timings;
use crate::model::time::UnixMillis;
use crate::model::verdict::Diagnosis;
use crate::model::verdict::OpinionState;

/// All monitors.
#[derive(Debug, Serialize)]
pub struct Status {
    version: &'static str,
    region: String,
    vantage: &'static str,
    at: String,
    started_at: String,
    revision: u64,
    uplink: &'static str,
    /// The cluster; `None` when watching alone.
    cluster: Option<peers::Cluster>,
    config: ConfigStatus,
    monitors: Vec<Monitor>,
}

#[derive(Debug, Serialize)]
struct ConfigStatus {
    hash: String,
    active_since: String,
    is_last_good_copy: bool,
    problems: Vec<ProblemBody>,
    needs_restart: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ProblemBody {
    file: String,
    line: u32,
    column: u32,
    path: String,
    message: String,
    hint: String,
}

/// One monitor.
#[derive(Debug, Serialize)]
pub struct Monitor {
    id: String,
    name: String,
    group: Option<String>,
    kind: &'static str,
    target: String,
    status: &'static str,
    since: String,
    /// The newest checks were bad and are not confirmed yet.
    suspect: bool,
    paused_by_operator: bool,
    /// The window that is open for it.
    maintenance: Option<OpenWindow>,
    cause: Option<String>,
    cause_code: Option<&'static str>,
    regions_failing: Vec<String>,
    regions_fine: Vec<String>,
    regions_unknown: Vec<String>,
    /// What the votes say together; the three below are `None` when watching alone.
    agreement: Option<&'static str>,
    /// The node that decides and sends.
    decided_by: Option<String>,
    /// Where the trouble is, as far as the vantages inside and outside tell.
    diagnosis: Option<&'static str>,
    next_check_at: Option<String>,
    last_check: Option<Check>,
    open_incidents: Vec<IncidentBody>,
    /// `None` for monitors that are checked.
    heartbeat: Option<heartbeats::Heartbeat>,
}

#[derive(Debug, Serialize)]
struct OpenWindow {
    name: String,
    message: Option<String>,
    from: String,
    to: String,
}

#[derive(Debug, Serialize)]
struct Check {
    at: String,
    outcome: &'static str,
    cause: Option<String>,
    cause_code: Option<&'static str>,
    http_status: Option<u16>,
    remote: Option<String>,
    total_ms: f64,
    phases_ms: Phases,
    certificate_not_after: Option<String>,
}

/// Milliseconds by phase; `null` where a phase did not happen.
#[derive(Debug, Serialize, Default)]
pub(in crate::http) struct Phases {
    dns: Option<f64>,
    connect: Option<f64>,
    tls: Option<f64>,
    first_byte: Option<f64>,
    transfer: Option<f64>,
}

#[derive(Debug, Serialize)]
struct IncidentBody {
    id: String,
    kind: &'static str,
    opened_at: String,
    cause: String,
    cause_code: &'static str,
    #[serde(flatten)]
    alert: acts::Alert,
}

/// Answer to something that was done.
#[derive(Debug, Serialize)]
pub struct Done {
    /// Always true; failures have another body and status.
    pub done: bool,
}

/// Answer to a reload.
#[derive(Debug, Serialize)]
pub struct Reloaded {
    active: bool,
    changed: String,
    problems: Vec<ProblemBody>,
}

/// A new one-time link.
#[derive(Debug, Serialize)]
pub struct SignInLink {
    /// Whole address, as people reach this instance.
    pub url: String,
    /// How long it works.
    pub valid_minutes: u64,
}

/// All monitors, in the order of the config.
#[must_use]
pub fn status(snapshot: &Snapshot) -> Status {
    let reload = &snapshot.reload;
    Status {
        version: env!("CARGO_PKG_VERSION"),
        region: snapshot.config.instance.region.to_string(),
        vantage: match snapshot.config.instance.vantage {
            Vantage::External => "external",
            Vantage::Internal => "internal",
        },
        at: snapshot.at.rfc3339(),
        started_at: snapshot.started_at.rfc3339(),
        revision: snapshot.revision,
        uplink: match snapshot.uplink {
            UplinkView::NotGuarded => "not_guarded",
            UplinkView::Fine => "fine",
            UplinkView::Lost(_) => "lost",
        },
        cluster: snapshot.cluster.as_deref().map(peers::cluster),
        config: ConfigStatus {
            hash: reload.active_hash.clone(),
            active_since: reload.active_since.rfc3339(),
            is_last_good_copy: reload.is_last_good_copy,
            problems: reload.problems.iter().map(problem).collect(),
            needs_restart: reload.needs_restart.clone(),
        },
        monitors: snapshot
            .config
            .monitors
            .iter()
            .filter_map(|m| snapshot.monitors.get(&m.id))
            .map(|view| monitor(view, snapshot.at))
            .collect(),
    }
}

/// One monitor at a moment.
#[must_use]
pub fn monitor(view: &MonitorView, now: UnixMillis) -> Monitor {
    let names = |regions: &[Region]| regions.iter().map(ToString::to_string).collect();
    let is_alone = view.votes.iter().all(|vote| vote.node.is_none());
    Monitor {
        id: view.monitor.id.to_string(),
        name: view.monitor.name.clone(),
        group: view.monitor.group.clone(),
        kind: view.monitor.probe.kind(),
        target: view.monitor.target(),
        status: view.verdict.word(),
        since: view.since.rfc3339(),
        suspect: view.opinion.state == OpinionState::Suspect,
        paused_by_operator: view.paused_by_operator,
        maintenance: view.upkeep.as_ref().map(|open| OpenWindow {
            name: open.window.name.clone(),
            message: open.window.message.clone(),
            from: open.span.from.rfc3339(),
            to: open.span.to.rfc3339(),
        }),
        cause: views::cause(view),
        cause_code: regions::cause_code(view),
        regions_failing: names(&view.regions.failing),
        regions_fine: names(&view.regions.fine),
        regions_unknown: names(&view.regions.unknown),
        agreement: (!is_alone).then(|| view.agreement.word()),
        decided_by: view.decider.as_ref().map(ToString::to_string),
        diagnosis: view.diagnosis.map(Diagnosis::word),
        next_check_at: view.next_check_at.map(UnixMillis::rfc3339),
        last_check: view.last.as_ref().map(|last| check(last)),
        open_incidents: view.incidents.iter().map(|open| incident(open, view)).collect(),
        heartbeat: view.heartbeat.as_deref().map(|beat| heartbeats::heartbeat(view, beat, now)),
    }
}

/// What a reload brought.
#[must_use]
pub fn reloaded(answer: &ReloadAnswer) -> Reloaded {
    Reloaded {
        active: answer.problems.is_empty(),
        changed: answer.changed.clone(),
        problems: answer.problems.iter().map(problem).collect(),
    }
}

/// Milliseconds with three decimals.
pub(in crate::http) fn ms(took: std::time::Duration) -> f64 {
    (took.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

/// The phases of a check.
pub(in crate::http) fn phases(timings: &Timings) -> Phases {
    let mut phases = Phases::default();
    for (phase, took) in timings.phases() {
        let slot = match phase {
            Phase::Dns => &mut phases.dns,
            Phase::Connect => &mut phases.connect,
            Phase::Tls => &mut phases.tls,
            Phase::FirstByte => &mut phases.first_byte,
            Phase::Transfer => &mut phases.transfer,
        };
        *slot = took.map(ms);
    }
    phases
}

fn check(result: &CheckResult) -> Check {
    Check {
        at: result.at.rfc3339(),
        outcome: result.outcome.word(),
        cause: result.failure.as_ref().map(ToString::to_string),
        cause_code: result.failure.as_ref().map(|failure| failure.code()),
        http_status: result.status,
        remote: result.remote.map(|remote| remote.to_string()),
        total_ms: ms(result.timings.total),
        phases_ms: phases(&result.timings),
        certificate_not_after: result.certificate_not_after.map(UnixMillis::rfc3339),
    }
}

fn incident(incident: &Incident, view: &MonitorView) -> IncidentBody {
    IncidentBody {
        id: incident.id.to_string(),
        kind: incident.lane.word(),
        opened_at: incident.opened_at.rfc3339(),
        cause: incident.cause.to_string(),
        cause_code: incident.cause.code(),
        alert: acts::alert(view.alerts.iter().find(|alert| alert.incident == incident.id)),
    }
}

fn problem(problem: &Problem) -> ProblemBody {
    ProblemBody {
        file: problem.file.display().to_string(),
        line: problem.line,
        column: problem.column,
        path: problem.path.clone(),
        message: problem.message.clone(),
        hint: problem.hint.clone(),
    }
}
