//! Durable form of [`MonitorState`], and the words for verdicts that columns and JSON share.

use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::model::change::MonitorState;
use crate::model::change::Streak;
use crate::model::change::Warned;
use crate::model::id::ChannelName;
use crate::model::id::MonitorId;
use crate::model::incident::Epoch;
use crate::model::time::UnixMillis;
use crate::model::verdict::Opinion;
use crate::model::verdict::OpinionState;
use crate::model::verdict::Verdict;
use crate::store::row::failure;

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
    remote: Option<IpAddr>,
    /// Epoch and limit in milliseconds.
    #[serde(default)]
    warned: Option<(u64, u64)>,
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
