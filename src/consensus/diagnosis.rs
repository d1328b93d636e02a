//! Path or service: what vantages inside and outside together say about where the trouble is.

use crate::model::peer::Stage;
use crate::model::verdict::Diagnosis;

/// What one side of the wall holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It works.
    Up,
    /// It does not, by the quorum of this side.
    Down,
    /// It does not for a minority.
    Regional,
    /// Nobody there, or nobody knows.
    Unknown,
}

/// The diagnosis of the table in ARCHITECTURE.md; `None` when one side is missing or nothing is wrong. `stages` are those of the
/// failing votes outside; the one that most of them name decides, the earliest of equals.
#[must_use]
pub fn diagnose(external: Side, internal: Side, stages: &[Stage]) -> Option<Diagnosis> {
    match (external, internal) {
        (Side::Down, Side::Up) => Some(path(stages)),
        (Side::Down, Side::Down) => Some(Diagnosis::Service),
        (Side::Up, Side::Down) => Some(Diagnosis::Inside),
        (Side::Regional, Side::Up) => Some(Diagnosis::Transit),
        (Side::Regional, Side::Down) => Some(Diagnosis::Service),
        (Side::Up, Side::Up | Side::Regional | Side::Unknown)
        | (Side::Down | Side::Regional, Side::Regional | Side::Unknown)
        | (Side::Unknown, _) => None,
    }
}

/// Where on the path: what most failing votes name, the earliest stage of equals.
fn path(stages: &[Stage]) -> Diagnosis {
    let n = |stage: Stage| stages.iter().filter(|named| **named == stage).count();
    let most = Stage::ALL.into_iter().rev().max_by_key(|stage| n(*stage));
    match most.filter(|stage| 0 < n(*stage)) {
        Some(Stage::Dns) => Diagnosis::PathDns,
        Some(Stage::Connect) => Diagnosis::PathConnect,
        Some(Stage::Tls) => Diagnosis::PathTls,
        Some(Stage::Gateway) => Diagnosis::PathGateway,
        Some(Stage::Answer | Stage::Other) | None => Diagnosis::PathOther,
    }
}
