//! Heartbeats and their pings as JSON.

use serde::Serialize;

use crate::engine::snapshot::HeartbeatView;
use crate::engine::snapshot::MonitorView;
use crate::http::api::ms;
use crate::model::ping::Meaning;
use crate::model::ping::PingEntry;
use crate::model::time::DurationText;
use crate::model::time::UnixMillis;
use crate::rules::heartbeat::Phase;
use crate::rules::heartbeat::Spell;
use crate::rules::heartbeat::SpellEnd;

/// A heartbeat, beside what every monitor has.
#[derive(Debug, Serialize)]
pub struct Heartbeat {
    /// `waiting`, `up`, `late`, `down` or `paused`.
    state: &'static str,
    /// A run is open.
    running: bool,
    schedule: String,
    grace: String,
    slug: String,
    expected_at: Option<String>,
    deadline_at: Option<String>,
    last_success_at: Option<String>,
    /// Why it is down: `missed`, `never-seen`, `never-started`, `failed` or `overran`.
    reason: Option<&'static str>,
    /// Runs that are missed just now.
    n_missed: usize,
    /// Failures in a row.
    n_failures: u32,
    maintenance: bool,
    hint: Option<String>,
    runs: Vec<Run>,
}

#[derive(Debug, Serialize)]
struct Run {
    run: Option<String>,
    started_at: String,
    ended_at: Option<String>,
    /// `open`, `success`, `fail`, `superseded` or `closed`.
    end: &'static str,
    took_ms: Option<f64>,
}

/// The log of a heartbeat.
#[derive(Debug, Serialize)]
pub struct Pings {
    /// So many are kept.
    kept: u32,
    pings: Vec<Ping>,
}

#[derive(Debug, Serialize)]
struct Ping {
    number: u64,
    at: String,
    at_ms: i64,
    kind: &'static str,
    /// Why it changed nothing.
    ignored: Option<&'static str>,
    exit_status: Option<u8>,
    run: Option<String>,
    took_ms: Option<f64>,
    /// It repeats the one before it in its run.
    repeat: bool,
    node: String,
    method: Option<String>,
    remote: Option<String>,
    user_agent: Option<String>,
    /// As far as it is text.
    body: Option<String>,
    body_bytes: u64,
    body_truncated: bool,
}

/// A heartbeat in a word.
#[must_use]
pub fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Waiting => "waiting",
        Phase::Up => "up",
        Phase::Late => "late",
        Phase::Down => "down",
        Phase::Paused => "paused",
    }
}

/// How a run ended, in a word.
#[must_use]
pub fn end_word(end: Option<SpellEnd>) -> &'static str {
    match end {
        None => "open",
        Some(SpellEnd::Success) => "success",
        Some(SpellEnd::Fail) => "fail",
        Some(SpellEnd::Superseded) => "superseded",
        Some(SpellEnd::Closed) => "closed",
    }
}

/// What a heartbeat is now. Of one that peers are asked about, what it was before still holds.
#[must_use]
pub fn state(view: &MonitorView, beat: &HeartbeatView) -> &'static str {
    let is_off = !view.monitor.enabled || view.paused_by_operator;
    if is_off {
        "paused"
    } else if beat.is_overdue {
        "late"
    } else {
        phase_word(beat.seen.phase)
    }
}

/// A heartbeat at a moment.
#[must_use]
pub fn heartbeat(view: &MonitorView, beat: &HeartbeatView, now: UnixMillis) -> Heartbeat {
    let (seen, spec) = (&beat.seen, view.monitor.heartbeat());
    Heartbeat {
        state: state(view, beat),
        running: !seen.running.is_empty(),
        schedule: view.monitor.target(),
        grace: spec.map(|spec| DurationText(spec.beat.grace).to_string()).unwrap_or_default(),
        slug: spec.map(|spec| spec.identity.slug.clone()).unwrap_or_default(),
        expected_at: seen.expected.map(UnixMillis::rfc3339),
        deadline_at: seen.deadline.map(UnixMillis::rfc3339),
        last_success_at: seen.last_success.map(UnixMillis::rfc3339),
        reason: beat.state.open.as_ref().map(|open| open.reason.code()),
        n_missed: spec.map_or(0, |spec| beat.n_missed(&spec.beat, now)),
        n_failures: seen.n_fails,
        maintenance: seen.is_maintenance,
        hint: beat.hint.clone(),
        runs: beat.spells.iter().map(run).collect(),
    }
}

fn run(spell: &Spell) -> Run {
    Run {
        run: spell.run.as_ref().map(ToString::to_string),
        started_at: spell.started.rfc3339(),
        ended_at: spell.ended.map(|(at, _)| at.rfc3339()),
        end: end_word(spell.ended.map(|(_, end)| end)),
        took_ms: spell.ended.map(|(at, _)| ms(at.since(spell.started))),
    }
}

/// The log, newest first.
#[must_use]
pub fn pings(entries: &[PingEntry], kept: u32) -> Pings {
    Pings { kept, pings: entries.iter().map(ping).collect() }
}

fn ping(entry: &PingEntry) -> Ping {
    let arrival = entry.arrival.as_ref();
    Ping {
        number: entry.number,
        at: entry.stamp.at.rfc3339(),
        at_ms: entry.stamp.at.0,
        kind: entry.meaning.word(),
        ignored: match entry.meaning {
            Meaning::Ping(_) => None,
            Meaning::Ignored(why) => Some(why.word()),
        },
        exit_status: entry.exit,
        run: entry.run.as_ref().map(ToString::to_string),
        took_ms: entry.took.map(ms),
        repeat: entry.is_repeat,
        node: entry.stamp.node.to_string(),
        method: arrival.map(|arrival| arrival.method.clone()),
        remote: arrival.and_then(|arrival| arrival.address).map(|address| address.to_string()),
        user_agent: arrival.and_then(|arrival| arrival.agent.clone()),
        body: (!entry.body.is_empty()).then(|| String::from_utf8_lossy(&entry.body).into_owned()),
        body_bytes: entry.body_bytes,
        body_truncated: entry.is_truncated(),
    }
}
