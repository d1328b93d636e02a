//! What the engine asks the store to make durable.
//!
//! A [`StateChange`] is one transaction: the new state of a monitor, what happened to its incidents, and the messages that are
//! now owed. Either all of it is on disk or none, and nothing is sent before it is.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::incident::Closed;
use crate::model::incident::Epoch;
use crate::model::incident::Incident;
use crate::model::notification::Notification;
use crate::model::ping::BeatState;
use crate::model::ping::PingEntry;
use crate::model::policy::OwedEnd;
use crate::model::policy::Progress;
use crate::model::time::UnixMillis;
use crate::model::verdict::Opinion;
use crate::model::verdict::Verdict;

/// One transaction.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StateChange {
    /// New states of monitors, to be found again after a restart.
    pub states: Vec<MonitorState>,
    /// Verdicts that changed, for uptime.
    pub verdicts: Vec<VerdictChange>,
    /// Incidents that opened.
    pub opened: Vec<Incident>,
    /// Incidents that ended.
    pub closed: Vec<(IncidentId, Closed)>,
    /// Incidents whose times became known better: a peer saw it earlier, or saw it end later.
    pub amended: Vec<Incident>,
    /// Messages that are owed.
    pub notifications: Vec<Notification>,
    /// What is shared with peers and must survive a restart.
    pub facts: Vec<StoredFact>,
    /// New states of heartbeats.
    pub beats: Vec<BeatState>,
    /// Pings that other nodes received; those of this node are in the log before anything follows from them.
    pub pings: Vec<PingEntry>,
}

/// A fact in the form in which it is kept and travels, made by `crate::consensus::codec`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFact {
    /// Unique; a later one replaces an earlier one.
    pub key: String,
    /// What.
    pub value: String,
    /// When it may be forgotten; `None`: never.
    pub until: Option<UnixMillis>,
}

impl StateChange {
    /// Adds a later change; of two states of a monitor the later one counts, because the store applies them in order.
    pub fn append(&mut self, later: StateChange) {
        self.states.extend(later.states);
        self.verdicts.extend(later.verdicts);
        self.opened.extend(later.opened);
        self.closed.extend(later.closed);
        self.amended.extend(later.amended);
        self.facts.extend(later.facts);
        self.notifications.extend(later.notifications);
        self.beats.extend(later.beats);
        self.pings.extend(later.pings);
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == StateChange::default()
    }
}

/// A verdict that holds from a time on, until the next one of the same monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictChange {
    /// Whose.
    pub monitor: MonitorId,
    /// From when.
    pub at: UnixMillis,
    /// What.
    pub verdict: Verdict,
}

/// What a restart must not lose about a monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonitorState {
    /// Whose.
    pub monitor: MonitorId,
    /// Digest of what decides its outcome; another one restarts the confirmation.
    pub probe_hash: u32,
    /// What this vantage holds.
    pub opinion: Opinion,
    /// How far the next change of opinion has come.
    pub streak: Streak,
    /// What all vantages hold.
    pub verdict: Verdict,
    /// Since when.
    pub verdict_since: UnixMillis,
    /// Counter of outages.
    pub outage: Epoch,
    /// Counter of degradations.
    pub degradation: Epoch,
    /// Counter of regional troubles.
    pub regional: Epoch,
    /// Paused by an operator since; `None` means it is not.
    pub paused_at: Option<UnixMillis>,
    /// Channels that were told of trouble and not of its end yet.
    pub told: BTreeSet<ChannelName>,
    /// How far people have been told of each open incident.
    pub alerts: Vec<Progress>,
    /// An end that is told when the monitor has calmed down.
    pub owed_end: Option<OwedEnd>,
    /// The address last seen; says whether a lost uplink excuses a failure.
    pub remote: Option<IpAddr>,
    /// The last further warning about a certificate.
    pub warned: Option<Warned>,
}

/// A warning about a certificate that was told while its incident was open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warned {
    /// The epoch of the incident.
    pub epoch: Epoch,
    /// The limit that was crossed.
    pub limit: Duration,
}

/// Consecutive outcomes that have not yet changed the opinion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Streak {
    /// Down outcomes in a row.
    pub n_down: u32,
    /// Down or degraded outcomes in a row.
    pub n_bad: u32,
    /// Outcomes in a row that are better than the opinion.
    pub n_better: u32,
    /// When the row of bad ones began.
    pub bad_since: Option<UnixMillis>,
    /// When the row of down ones began.
    pub down_since: Option<UnixMillis>,
    /// When the row of better ones began.
    pub better_since: Option<UnixMillis>,
    /// Unknown outcomes in a row.
    pub n_unknown: u32,
    /// When the row of unknown ones began.
    pub unknown_since: Option<UnixMillis>,
}
