//! Durable form of [`MonitorState`], and the words for verdicts that columns and JSON share.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::model::change::MonitorState;
use crate::model::change::Streak;
use crate::model::change::Warned;
use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::incident::Closed;
use crate::model::incident::Epoch;
use crate::model::peer::Cause;
use crate::model::peer::Stage;
use crate::model::policy::OwedEnd;
use crate::model::policy::Progress;
use crate::model::time::UnixMillis;
use crate::model::verdict::Opinion;
use crate::model::verdict::OpinionState;
use crate::model::verdict::Verdict;
use crate::store::row::failure;
use crate::store::row::incident::close_reason_of;
use crate::store::row::incident::lane_of;
use crate::store::row::message::event_of;

#[derive(Serialize, Deserialize)]
struct StateRow {
    probe_hash: u32,
    opinion: String,
    opinion_since: i64,
    /// JSON of the failure within a JSON text, so that a failure of a newer build costs the reason and not the state.
    opinion_failure: Option<String>,
    n_down: u32,
    n_bad: u32,
    n_better: u32,
    bad_since: Option<i64>,
    down_since: Option<i64>,
    better_since: Option<i64>,
    n_unknown: u32,
    unknown_since: Option<i64>,
    verdict: String,
    verdict_since: i64,
    outage: u64,
    degradation: u64,
    #[serde(default)]
    regional: u64,
    paused_at: Option<i64>,
    #[serde(default)]
    told: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    alerts: Vec<ProgressRow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owed_end: Option<OwedEndRow>,
    remote: Option<IpAddr>,
    /// Epoch and limit in milliseconds.
    #[serde(default)]
    warned: Option<(u64, u64)>,
}

#[derive(Serialize, Deserialize)]
struct ProgressRow {
    lane: String,
    epoch: u64,
    base: i64,
    event: String,
    #[serde(default)]
    from_outage: bool,
    taken: Vec<u8>,
    waiting: Vec<String>,
    told: Vec<String>,
    n_reminders: u32,
    snoozed_until: Option<i64>,
}

fn progress_row(progress: &Progress) -> ProgressRow {
    let Progress { lane, epoch, base, event, from_outage, taken, waiting, told, n_reminders, snoozed_until } = progress;
    let names = |names: &BTreeSet<ChannelName>| names.iter().map(|name| name.as_str().to_owned()).collect();
    ProgressRow {
        lane: lane.word().to_owned(),
        epoch: epoch.0,
        base: base.0,
        event: event.word().to_owned(),
        from_outage: *from_outage,
        taken: taken.iter().copied().collect(),
        waiting: names(waiting),
        told: names(told),
        n_reminders: *n_reminders,
        snoozed_until: snoozed_until.map(|until| until.0),
    }
}

fn progress(row: ProgressRow) -> Result<Progress, String> {
    let names = |names: Vec<String>| names.iter().filter_map(|name| ChannelName::parse(name).ok()).collect();
    Ok(Progress {
        lane: lane_of(&row.lane)?,
        epoch: Epoch(row.epoch),
        base: UnixMillis(row.base),
        event: event_of(&row.event)?,
        from_outage: row.from_outage,
        taken: row.taken.into_iter().collect(),
        waiting: names(row.waiting),
        told: names(row.told),
        n_reminders: row.n_reminders,
        snoozed_until: row.snoozed_until.map(UnixMillis),
    })
}

#[derive(Serialize, Deserialize)]
struct OwedEndRow {
    incident: String,
    lane: String,
    epoch: u64,
    opened_at: i64,
    closed_at: i64,
    how: String,
    cause: String,
    cause_code: String,
    stage: String,
}

fn owed_end_row(owed: &OwedEnd) -> OwedEndRow {
    let OwedEnd { incident, lane, epoch, opened_at, closed, cause } = owed;
    OwedEndRow {
        incident: incident.as_str().to_owned(),
        lane: lane.word().to_owned(),
        epoch: epoch.0,
        opened_at: opened_at.0,
        closed_at: closed.at.0,
        how: closed.how.word().to_owned(),
        cause: cause.text.clone(),
        cause_code: cause.code.clone(),
        stage: cause.stage.word().to_owned(),
    }
}

fn owed_end(row: OwedEndRow) -> Result<OwedEnd, String> {
    Ok(OwedEnd {
        incident: IncidentId::from_derived(&row.incident),
        lane: lane_of(&row.lane)?,
        epoch: Epoch(row.epoch),
        opened_at: UnixMillis(row.opened_at),
        closed: Closed { at: UnixMillis(row.closed_at), how: close_reason_of(&row.how)? },
        cause: Cause {
            code: row.cause_code,
            text: row.cause,
            stage: Stage::ALL.into_iter().find(|stage| stage.word() == row.stage).unwrap_or(Stage::Other),
        },
    })
}

/// JSON text of a state, without the monitor: that is the key of the row.
pub(in crate::store) fn to_json(state: &MonitorState) -> String {
    let MonitorState {
        monitor: _,
        probe_hash,
        opinion,
        streak,
        verdict,
        verdict_since,
        outage,
        degradation,
        regional,
        paused_at,
        told,
        alerts,
        owed_end,
        remote,
        warned,
    } = state;
    let Opinion { state: opinion, since, failure } = opinion;
    let Streak { n_down, n_bad, n_better, bad_since, down_since, better_since, n_unknown, unknown_since } = *streak;
    super::json(&StateRow {
        probe_hash: *probe_hash,
        opinion: opinion_word(*opinion).to_owned(),
        opinion_since: since.0,
        opinion_failure: failure.as_ref().map(failure::to_json),
        n_down,
        n_bad,
        n_better,
        bad_since: bad_since.map(|at| at.0),
        down_since: down_since.map(|at| at.0),
        better_since: better_since.map(|at| at.0),
        n_unknown,
        unknown_since: unknown_since.map(|at| at.0),
        verdict: verdict.word().to_owned(),
        verdict_since: verdict_since.0,
        outage: outage.0,
        degradation: degradation.0,
        regional: regional.0,
        paused_at: paused_at.map(|at| at.0),
        told: told.iter().map(|name| name.as_str().to_owned()).collect(),
        alerts: alerts.iter().map(progress_row).collect(),
        owed_end: owed_end.as_ref().map(owed_end_row),
        remote: *remote,
        warned: warned.map(|warned| (warned.epoch.0, u64::try_from(warned.limit.as_millis()).unwrap_or(u64::MAX))),
    })
}

/// The state of a JSON text.
pub(in crate::store) fn from_json(monitor: MonitorId, text: &str) -> Result<MonitorState, String> {
    let row: StateRow = super::parsed(text)?;
    Ok(MonitorState {
        monitor,
        probe_hash: row.probe_hash,
        opinion: Opinion {
            state: opinion_of(&row.opinion)?,
            since: UnixMillis(row.opinion_since),
            failure: row.opinion_failure.as_deref().map(failure::from_json),
        },
        streak: Streak {
            n_down: row.n_down,
            n_bad: row.n_bad,
            n_better: row.n_better,
            bad_since: row.bad_since.map(UnixMillis),
            down_since: row.down_since.map(UnixMillis),
            better_since: row.better_since.map(UnixMillis),
            n_unknown: row.n_unknown,
            unknown_since: row.unknown_since.map(UnixMillis),
        },
        verdict: verdict_of(&row.verdict)?,
        verdict_since: UnixMillis(row.verdict_since),
        outage: Epoch(row.outage),
        degradation: Epoch(row.degradation),
        regional: Epoch(row.regional),
        paused_at: row.paused_at.map(UnixMillis),
        told: row.told.iter().filter_map(|name| ChannelName::parse(name).ok()).collect(),
        // Of what cannot be read people may be told again, which is better than not at all.
        owed_end: row.owed_end.and_then(|row| self::owed_end(row).ok()),
        alerts: row.alerts.into_iter().filter_map(|row| progress(row).ok()).collect(),
        remote: row.remote,
        warned: row.warned.map(|(epoch, limit)| Warned { epoch: Epoch(epoch), limit: Duration::from_millis(limit) }),
    })
}

fn opinion_word(state: OpinionState) -> &'static str {
    match state {
        OpinionState::Up => "up",
        OpinionState::Degraded => "degraded",
        OpinionState::Down => "down",
        OpinionState::Suspect => "suspect",
        OpinionState::Unknown => "unknown",
        OpinionState::Paused => "paused",
    }
}

fn opinion_of(word: &str) -> Result<OpinionState, String> {
    Ok(match word {
        "up" => OpinionState::Up,
        "degraded" => OpinionState::Degraded,
        "down" => OpinionState::Down,
        "suspect" => OpinionState::Suspect,
        "unknown" => OpinionState::Unknown,
        "paused" => OpinionState::Paused,
        other => return Err(format!("`{other}` is not an opinion")),
    })
}

/// The verdict of its word.
pub(in crate::store) fn verdict_of(word: &str) -> Result<Verdict, String> {
    Ok(match word {
        "up" => Verdict::Up,
        "degraded" => Verdict::Degraded,
        "down" => Verdict::Down,
        "unknown" => Verdict::Unknown,
        "paused" => Verdict::Paused,
        "maintenance" => Verdict::Maintenance,
        other => return Err(format!("`{other}` is not a verdict")),
    })
}
