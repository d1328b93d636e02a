//! How what several nodes say of the same thing becomes one. Each merge is commutative, associative and idempotent, so that the order
//! in which things are heard, and how often, does not matter.

use crate::model::heartbeat::Ping;
use crate::model::heartbeat::PingKind;
use crate::model::incident::Closed;
use crate::model::peer::EpochFact;
use crate::model::peer::OperatorFact;
use crate::model::peer::PINGS_TOLD_MAX;
use crate::model::peer::PingFact;

/// The higher epoch wins. Of the same epoch: the earliest beginning, the latest end, and the words of the node whose name is first.
#[must_use]
pub fn epoch(a: &EpochFact, b: &EpochFact) -> EpochFact {
    if a.epoch != b.epoch {
        let (newer, older) = if a.epoch < b.epoch { (b, a) } else { (a, b) };
        let is_same = incident(newer) == incident(older);
        let opened_at = if is_same { newer.opened_at.min(older.opened_at) } else { newer.opened_at };
        return EpochFact { before: before(newer, older), opened_at, ..newer.clone() };
    }
    let (first, other) = if a.by <= b.by { (a, b) } else { (b, a) };
    let closed = later(first.closed, other.closed);
    // An id that is told was told to people before; of two the first will do.
    let told = match (&first.incident, &other.incident) {
        (Some(one), Some(other)) => Some(one.min(other).clone()),
        (one, other) => one.clone().or_else(|| other.clone()),
    };
    EpochFact {
        incident: told,
        opened_at: a.opened_at.min(b.opened_at),
        closed,
        before: before(first, other),
        at: a.at.min(b.at),
        ..first.clone()
    }
}

/// How the incident before that of `newer` ended, by what both know.
#[must_use]
pub fn before(newer: &EpochFact, older: &EpochFact) -> Option<Closed> {
    match incident(newer).checked_sub(incident(older)) {
        Some(0) => later(newer.before, older.before),
        Some(2) => later(newer.before, older.closed),
        Some(_) | None => newer.before,
    }
}

/// The odd epoch of the incident that a fact is about.
fn incident(fact: &EpochFact) -> u64 {
    if fact.epoch.is_open() { fact.epoch.0 } else { fact.epoch.0.saturating_sub(1) }
}

/// The later end; of two of the same moment always the same one.
fn later(one: Option<Closed>, other: Option<Closed>) -> Option<Closed> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if (one.at, one.how.word()) < (other.at, other.how.word()) { other } else { one }),
        (one, other) => one.or(other),
    }
}

/// All of both, up to the newest few, and of notes the newest.
#[must_use]
pub fn ping(a: &PingFact, b: &PingFact) -> PingFact {
    let mut pings: Vec<Ping> = a.pings.iter().chain(&b.pings).cloned().collect();
    pings.sort_by(|a, b| a.stamp.cmp(&b.stamp));
    pings.dedup_by(|a, b| a.stamp == b.stamp);
    let is_note = |ping: &Ping| ping.kind == PingKind::Log;
    let note = pings.iter().rposition(is_note).map(|at| pings.remove(at));
    pings.retain(|ping| !is_note(ping));
    pings.drain(..pings.len().saturating_sub(PINGS_TOLD_MAX));
    pings.extend(note);
    pings.sort_by(|a, b| a.stamp.cmp(&b.stamp));
    PingFact { pings, ..a.clone() }
}

/// The later stamp wins. No two acts have the same one: it has its writer's name.
#[must_use]
pub fn operator(a: &OperatorFact, b: &OperatorFact) -> OperatorFact {
    if (&a.stamp, a.holds) < (&b.stamp, b.holds) { b.clone() } else { a.clone() }
}
