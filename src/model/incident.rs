//! Spans of time in which something was wrong, and the counters that give them the same name on every node.

use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::result::Failure;
use crate::model::time::UnixMillis;
use crate::model::verdict::Confidence;
use crate::model::verdict::Diagnosis;
use crate::model::verdict::RegionView;

/// What kind of trouble an incident is about. Each lane has its own epochs, so that they open and close independently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// The verdict is down.
    Outage,
    /// The verdict is degraded.
    Degradation,
    /// Some regions hold it down and the quorum does not: the verdict stays up.
    Regional,
}

impl Lane {
    /// Every lane, the worst first.
    pub const ALL: [Lane; 3] = [Lane::Outage, Lane::Degradation, Lane::Regional];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Lane::Outage => "outage",
            Lane::Degradation => "degradation",
            Lane::Regional => "regional",
        }
    }
}

/// Counter of a lane's changes: 0 never, odd while an incident is open, even while none is. Never decreases; nodes merge by maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u64);

impl Epoch {
    /// Whether an incident is open in this epoch.
    #[must_use]
    pub fn is_open(self) -> bool {
        self.0 % 2 == 1
    }

    /// The one after this.
    #[must_use]
    pub fn next(self) -> Epoch {
        Epoch(self.0 + 1)
    }
}

/// A span of time in which something was wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Same on every node.
    pub id: IncidentId,
    /// Whose.
    pub monitor: MonitorId,
    /// The monitor's name when it opened; stays when the monitor is renamed or removed.
    pub monitor_name: String,
    /// What kind.
    pub lane: Lane,
    /// The odd epoch in which it is open.
    pub epoch: Epoch,
    /// Time of the first bad check.
    pub opened_at: UnixMillis,
    /// When it was confirmed.
    pub confirmed_at: UnixMillis,
    /// When it ended; `None` while it is open.
    pub closed: Option<Closed>,
    /// Why it opened.
    pub cause: Failure,
    /// Who said what when it opened.
    pub regions: RegionView,
    /// How sure that was.
    pub confidence: Confidence,
    /// Where the trouble is, as far as the vantages inside and outside tell.
    pub diagnosis: Option<Diagnosis>,
    /// What the confirming check did, line by line; empty when another vantage made it.
    pub evidence: Vec<String>,
}

/// How and when an incident ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// Time of the first good check.
    pub at: UnixMillis,
    /// How.
    pub how: CloseReason,
}

/// How an incident ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseReason {
    /// The verdict is good again.
    Recovered,
    /// It recovered while vigilmon was not running: `at` is when that was first seen.
    RecoveredUnseen,
    /// A degradation turned into an outage, or an outage into a degradation; or trouble of a few regions became trouble of all.
    Superseded,
    /// The monitor is gone from the config.
    Removed,
    /// The monitor was paused or disabled.
    Paused,
}

impl CloseReason {
    /// Stable word for the API and the store.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            CloseReason::Recovered => "recovered",
            CloseReason::RecoveredUnseen => "recovered_unseen",
            CloseReason::Superseded => "superseded",
            CloseReason::Removed => "removed",
            CloseReason::Paused => "paused",
        }
    }
}
