//! One monitor's live state: its schedule, its check under way, what is held of it.

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::core::alerts::Telling;
use crate::engine::core::beat::Beat;
use crate::engine::core::maintenance::Open;
use crate::engine::snapshot::Agreement;
use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::Recent;
use crate::model::change::MonitorState;
use crate::model::change::Streak;
use crate::model::id::MonitorId;
use crate::model::incident::Epoch;
use crate::model::incident::Incident;
use crate::model::incident::Lane;
use crate::model::monitor::Monitor;
use crate::model::peer::Vantage;
use crate::model::result::CheckResult;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::model::verdict::Diagnosis;
use crate::model::verdict::Verdict;
use crate::rules::incident::Epochs;
use crate::rules::opinion;
use crate::rules::schedule;

/// How many of the newest results are kept in memory: an hour at the usual interval, and one row of ticks on a page.
pub(super) const RECENT_MAX: usize = 60;

/// Room that is made for them at once.
const RECENT_STEP: usize = 15;

/// A check that has not been heard of this long after its deadline never will be; that would be a bug, and one check is enough for it.
const LOST_AFTER: Duration = Duration::from_secs(30);

/// What the votes of all say of a monitor.
#[derive(Debug, Default)]
pub(super) struct Joint {
    /// A verdict that disagrees with what is recorded, and since when the votes say it.
    pub(super) wanted: Option<(Verdict, Mono)>,
    /// Whether regional trouble ought to be open, when that disagrees with what is recorded, and since when.
    pub(super) regional: Option<(bool, Mono)>,
    /// Since when the votes have been regional.
    pub(super) regional_since: Option<Mono>,
    /// Since when too few votes count.
    pub(super) insufficient_since: Option<Mono>,
    /// What the votes said last.
    pub(super) agreement: Agreement,
    pub(super) diagnosis: Option<Diagnosis>,
    /// Votes that counted, and voters.
    pub(super) n_voters: (usize, usize),
    /// When it was last looked at out of turn because somebody else saw something.
    pub(super) looked_again: Option<Mono>,
    /// The next look at a disagreement; mirrored in `Cluster::looks`.
    pub(super) look: Option<Mono>,
}

/// What opinions of each kind of vantage must be about to count: outside, inside.
pub(super) fn hashes(monitor: &Arc<Monitor>) -> (u32, u32) {
    let hash = |vantage| crate::config::probe_hash(&monitor.seen_from(vantage));
    (hash(Vantage::External), hash(Vantage::Internal))
}

#[derive(Debug)]
pub(super) struct Machine {
    pub(super) monitor: Arc<Monitor>,
    /// The same as this vantage observes it: vantages inside may look at something else.
    pub(super) probed: Arc<Monitor>,
    /// What opinions of each kind of vantage must be about to count: outside, inside.
    pub(super) hashes: (u32, u32),
    pub(super) state: MonitorState,
    /// Whether this vantage checks it at all.
    pub(super) is_here: bool,
    /// The next check; `None` while paused or checked elsewhere. Mirrored in `Core::due`.
    pub(super) due: Option<Mono>,
    /// The next regular check, whatever rechecks come before it; `None` until the first check.
    pub(super) grid: Option<Mono>,
    /// The check under way, or whose result waits for evidence about the uplink, and when it began.
    in_flight: Option<(u64, Mono)>,
    /// Open incidents.
    pub(super) incidents: Vec<Incident>,
    pub(super) recent: VecDeque<Recent>,
    pub(super) last: Option<Arc<CheckResult>>,
    /// When this vantage came back from an absence during which incidents may have ended unseen; `None` once a bad check was seen.
    pub(super) unseen_since: Option<UnixMillis>,
    /// A check of this run has ended.
    pub(super) is_probed: bool,
    /// What the votes of all say, and since when; unused when watching alone.
    pub(super) joint: Joint,
    /// The maintenance window that is open for it, if one is.
    pub(super) upkeep: Option<Open>,
    /// When the last one closed, as far as that is still of interest.
    pub(super) upkept_until: Option<UnixMillis>,
    /// The verdict that would be shown without one.
    pub(super) beneath: Verdict,
    /// Its heartbeat, if it is one; it is never checked then.
    pub(super) beat: Option<Box<Beat>>,
    /// What holds messages about it back.
    pub(super) telling: Telling,
    /// The newest picture; `None` when something changed since.
    pub(super) view: Option<Arc<MonitorView>>,
}

impl Machine {
    pub(super) fn new(monitor: Arc<Monitor>, vantage: Vantage, state: MonitorState, is_here: bool) -> Machine {
        Machine {
            probed: monitor.seen_from(vantage),
            hashes: hashes(&monitor),
            is_probed: false,
            joint: Joint::default(),
            monitor,
            state,
            is_here,
            due: None,
            grid: None,
            in_flight: None,
            incidents: Vec::new(),
            recent: VecDeque::new(),
            last: None,
            unseen_since: None,
            upkeep: None,
            upkept_until: None,
            beneath: Verdict::Unknown,
            beat: None,
            telling: Telling::default(),
            view: None,
        }
    }

    /// Whether checks are to be made.
    pub(super) fn is_active(&self) -> bool {
        self.monitor.enabled && self.state.paused_at.is_none() && self.is_here && self.beat.is_none()
    }

    /// Takes the check that was due at `due`; returns its number, or `None` when the one before is still under way: a late
    /// check is skipped, not queued.
    pub(super) fn begin(&mut self, due: Mono, now: Now, number: u64, slot: Option<(usize, usize)>) -> Option<u64> {
        let interval = self.monitor.interval;
        let grid = match self.grid {
            None => match slot {
                None => schedule::regular(&self.monitor.id, interval, due),
                Some(slot) => schedule::staggered(&self.monitor.id, interval, due, now, slot),
            },
            Some(grid) if grid <= now.mono => schedule::next(grid, interval, now.mono),
            Some(grid) => grid,
        };
        self.grid = Some(grid);
        self.due = Some(grid);
        let patience = self.monitor.timeout + LOST_AFTER;
        if self.in_flight.is_some_and(|(_, began)| now.mono.since(began) <= patience) {
            return None;
        }
        self.in_flight = Some((number, now.mono));
        self.view = None;
        Some(number)
    }

    /// Whether the result of this check is waited for.
    pub(super) fn awaits(&self, number: u64) -> bool {
        self.in_flight.is_some_and(|(awaited, _)| awaited == number)
    }

    /// Whether a check is under way.
    pub(super) fn is_being_checked(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Waits for no result any more; one that comes all the same is dropped.
    pub(super) fn await_nothing(&mut self) {
        self.in_flight = None;
    }

    pub(super) fn epochs(&self) -> Epochs {
        Epochs { outage: self.state.outage, degradation: self.state.degradation, regional: self.state.regional }
    }

    /// The lane whose open incident matters most for the verdict; regional trouble does not.
    pub(super) fn open_lane(&self) -> Option<Lane> {
        [Lane::Outage, Lane::Degradation].into_iter().find(|lane| self.epochs().of(*lane).is_open())
    }

    pub(super) fn remember(&mut self, recent: Recent) {
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        } else if self.recent.len() == self.recent.capacity() {
            // Heartbeats have none, and doubling would end far above what is kept.
            self.recent.reserve_exact(RECENT_STEP.min(RECENT_MAX - self.recent.len()));
        }
        self.recent.push_back(recent);
    }
}

/// The state of a monitor that is seen for the first time.
pub(super) fn fresh(monitor: MonitorId, probe_hash: u32, now: UnixMillis) -> MonitorState {
    MonitorState {
        monitor,
        probe_hash,
        opinion: opinion::unknown(now),
        streak: Streak::default(),
        verdict: Verdict::Unknown,
        verdict_since: now,
        outage: Epoch::default(),
        degradation: Epoch::default(),
        regional: Epoch::default(),
        paused_at: None,
        told: BTreeSet::new(),
        alerts: Vec::new(),
        owed_end: None,
        remote: None,
        warned: None,
    }
}
