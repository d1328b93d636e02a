//! How what several nodes say of the same thing becomes one. Each merge is commutative, associative and idempotent, so that the order
//! in which things are heard, and how often, does not matter.

use crate::model::peer::EpochFact;
use crate::model::peer::OperatorFact;
use crate::model::peer::PingFact;

/// The higher epoch wins. Of the same epoch: the earliest beginning, the latest end, and the words of the node whose name is first.
#[must_use]
pub fn epoch(a: &EpochFact, b: &EpochFact) -> EpochFact {
    if a.epoch != b.epoch {
        return if a.epoch < b.epoch { b.clone() } else { a.clone() };
    }
    let (first, other) = if a.by <= b.by { (a, b) } else { (b, a) };
    let closed = match (first.closed, other.closed) {
        (Some(one), Some(other)) => Some(if one.at < other.at { other } else { one }),
        (one, other) => one.or(other),
    };
    // An id that is told was told to people before; of two the first will do.
    let incident = match (&first.incident, &other.incident) {
        (Some(one), Some(other)) => Some(one.min(other).clone()),
        (one, other) => one.clone().or_else(|| other.clone()),
    };
    EpochFact { incident, opened_at: a.opened_at.min(b.opened_at), closed, at: a.at.min(b.at), ..first.clone() }
}

/// The newer ping wins, then the higher sequence, then the graver kind.
#[must_use]
pub fn ping(a: &PingFact, b: &PingFact) -> PingFact {
    if (a.at, a.sequence, a.kind) < (b.at, b.sequence, b.kind) { b.clone() } else { a.clone() }
}

/// The later stamp wins.
#[must_use]
pub fn operator(a: &OperatorFact, b: &OperatorFact) -> OperatorFact {
    if (&a.stamp, a.holds) < (&b.stamp, b.holds) { b.clone() } else { a.clone() }
}
