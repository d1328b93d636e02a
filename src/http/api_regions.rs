//! Wire types of one monitor with what each region says of it, and on request what was measured there. As in `crate::http::api`, fields
//! are added, never renamed.

use serde::Serialize;

use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::VoteView;
use crate::http::api;
use crate::http::api::Monitor;
use crate::http::api::Phases;
use crate::http::colleagues::AllTold;
use crate::http::colleagues::Told;
use crate::http::regions;
use crate::model::time::UnixMillis;
use crate::peer::results::Newest;
use crate::peer::results::Results;

/// A monitor with its regions.
#[derive(Debug, Serialize)]
pub struct MonitorInFull {
    #[serde(flatten)]
    monitor: Monitor,
    regions: Vec<RegionBody>,
}

#[derive(Debug, Serialize)]
struct RegionBody {
    region: String,
    node: Option<String>,
    vantage: &'static str,
    is_me: bool,
    /// What the vote counts as.
    status: &'static str,
    since: Option<String>,
    cause: Option<String>,
    /// Why its vote does not count.
    ignored: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<ResultsBody>,
}

#[derive(Debug, Serialize, Default)]
struct ResultsBody {
    /// Why there are none.
    error: Option<String>,
    last_check: Option<CheckBody>,
    /// Newest last: when, what, how long.
    recent: Vec<TickBody>,
}

#[derive(Debug, Serialize)]
struct CheckBody {
    at: String,
    outcome: &'static str,
    cause: Option<String>,
    http_status: Option<u16>,
    remote: Option<String>,
    total_ms: f64,
    phases_ms: Phases,
}

#[derive(Debug, Serialize)]
struct TickBody {
    at: String,
    outcome: &'static str,
    total_ms: f64,
}

/// One monitor; with `told`, results are asked for and told.
#[must_use]
pub fn monitor(view: &MonitorView, told: Option<&AllTold>, now: UnixMillis) -> MonitorInFull {
    MonitorInFull { monitor: api::monitor(view, now), regions: view.votes.iter().map(|vote| region(view, vote, told)).collect() }
}

fn region(view: &MonitorView, vote: &VoteView, told: Option<&AllTold>) -> RegionBody {
    RegionBody {
        region: vote.region.to_string(),
        node: vote.node.as_ref().map(ToString::to_string),
        vantage: vote.vantage.word(),
        is_me: vote.is_me,
        status: regions::state(vote).word(),
        since: vote.since.filter(|_| vote.ignored.is_none()).map(UnixMillis::rfc3339),
        cause: vote.cause.clone(),
        ignored: vote.ignored.map(|why| why.words()),
        results: told.map(|told| match vote.node.as_ref().and_then(|node| told.get(node)) {
            _ if vote.is_me => results(&Results::of(view, &[])),
            Some(Told::Results(told)) => results(told),
            Some(Told::Nothing(why)) => ResultsBody { error: Some(why.clone()), ..ResultsBody::default() },
            None => ResultsBody { error: Some("was not asked".to_owned()), ..ResultsBody::default() },
        }),
    }
}

fn results(results: &Results) -> ResultsBody {
    ResultsBody {
        error: None,
        last_check: results.newest.as_ref().map(check),
        recent: results
            .recent
            .iter()
            .map(|recent| TickBody { at: recent.at.rfc3339(), outcome: recent.outcome.word(), total_ms: api::ms(recent.took) })
            .collect(),
    }
}

fn check(newest: &Newest) -> CheckBody {
    CheckBody {
        at: newest.at.rfc3339(),
        outcome: newest.outcome.word(),
        cause: newest.failure.clone(),
        http_status: newest.status,
        remote: newest.remote.map(|remote| remote.to_string()),
        total_ms: api::ms(newest.timings.total),
        phases_ms: api::phases(&newest.timings),
    }
}
