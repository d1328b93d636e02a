//! What one vantage holds of a monitor, and what all together hold.

use crate::model::id::Region;
use crate::model::result::Failure;
use crate::model::time::UnixMillis;

/// What one vantage currently holds of a monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opinion {
    /// The state held.
    pub state: OpinionState,
    /// Since when: for bad states the time of the first bad check, not of the one that confirmed it.
    pub since: UnixMillis,
    /// Why, when the state is not up.
    pub failure: Option<Failure>,
}

/// The states an opinion can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OpinionState {
    /// Confirmed up.
    Up,
    /// Confirmed degraded.
    Degraded,
    /// Confirmed down.
    Down,
    /// Was up, and the newest checks were not; not confirmed yet, so it still counts as up.
    Suspect,
    /// Nothing is known (yet, or because of trouble of our own). Never a vote.
    Unknown,
    /// An operator or the config switched it off. Never a vote.
    Paused,
}

/// What the vantages together hold; alone, one's own opinion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Up.
    Up,
    /// Works, but not as well as expected.
    Degraded,
    /// Down.
    Down,
    /// Nobody knows.
    Unknown,
    /// Switched off.
    Paused,
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Up => "up",
            Verdict::Degraded => "degraded",
            Verdict::Down => "down",
            Verdict::Unknown => "unknown",
            Verdict::Paused => "paused",
        }
    }
}

/// How sure a decision is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// Enough vantages were seen.
    Full,
    /// Decided with fewer vantages than wanted, after waiting for them.
    Degraded,
}

/// Which regions say what, at the time of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegionView {
    /// Regions that hold it down or degraded, in name order.
    pub failing: Vec<Region>,
    /// Regions that hold it up.
    pub fine: Vec<Region>,
    /// Regions that said nothing that counts.
    pub unknown: Vec<Region>,
}
