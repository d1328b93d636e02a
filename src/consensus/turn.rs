//! When a node acts on a verdict that disagrees with what is recorded: the first in rank after a second, the others when those before
//! them should have acted and did not, a minority after it has waited for the others to come back.

use std::time::Duration;

use crate::model::time::Mono;
use crate::model::verdict::Confidence;

/// A verdict must hold this long before anybody acts on it.
pub const STABLE_FOR: Duration = Duration::from_secs(1);

/// How long each rank is waited for: longer than it takes to find out that a node is dead.
pub const TAKEOVER_AFTER: Duration = Duration::from_secs(10);

/// Ranks beyond this wait no longer than this one; a cluster has fewer nodes.
const RANKS_MAX: u32 = 64;

/// A disagreement between what the votes say and what is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disagreement {
    /// Since when the votes have said the same.
    pub since: Mono,
    /// This node's rank for the monitor; `None`: it is not eligible and does not act.
    pub rank: Option<usize>,
    /// Enough nodes are seen and enough votes count.
    pub is_full: bool,
    /// How long a minority waits; `None`: for ever.
    pub solo_after: Option<Duration>,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Act, this sure.
    Now(Confidence),
    /// Not yet; look again then.
    At(Mono),
    /// Not this node, or not in this state.
    Never,
}

/// Decides.
#[must_use]
pub fn turn(disagreement: Disagreement, now: Mono) -> Turn {
    let Disagreement { since, rank, is_full, solo_after } = disagreement;
    let Some(rank) = rank else { return Turn::Never };
    let (patience, confidence) = match (is_full, solo_after) {
        (true, _) => (STABLE_FOR, Confidence::Full),
        (false, Some(solo_after)) => (solo_after.max(STABLE_FOR), Confidence::Degraded),
        (false, None) => return Turn::Never,
    };
    let at = since + patience + TAKEOVER_AFTER * u32::try_from(rank).unwrap_or(u32::MAX).min(RANKS_MAX);
    if at <= now { Turn::Now(confidence) } else { Turn::At(at) }
}
