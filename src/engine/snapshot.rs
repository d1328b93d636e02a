//! What the engine shows of itself: an immutable picture for pages, API and command line, made at most once a second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::config::Problem;
use crate::model::id::MonitorId;
use crate::model::incident::Incident;
use crate::model::monitor::Monitor;
use crate::model::result::CheckResult;
use crate::model::result::Outcome;
use crate::model::time::UnixMillis;
use crate::model::verdict::Opinion;
use crate::model::verdict::RegionView;
use crate::model::verdict::Verdict;

/// The engine at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// When it was made.
    pub at: UnixMillis,
    /// When the program started.
    pub started_at: UnixMillis,
    /// Grows by one with every snapshot that may show something new; one that is merely newer keeps it.
    pub revision: u64,
    /// The active config.
    pub config: Arc<Config>,
    /// By id; the order of the config is in `config.monitors`.
    pub monitors: BTreeMap<MonitorId, Arc<MonitorView>>,
    /// State of the own uplink.
    pub uplink: UplinkView,
    /// How the active config came to be, and what is wrong with a newer one.
    pub reload: Arc<ReloadView>,
}

/// A monitor at one moment.
#[derive(Debug, Clone)]
pub struct MonitorView {
    /// As configured.
    pub monitor: Arc<Monitor>,
    /// What is held to be true.
    pub verdict: Verdict,
    /// Since when.
    pub since: UnixMillis,
    /// What this vantage holds.
    pub opinion: Opinion,
    /// Who says what.
    pub regions: RegionView,
    /// The newest result, with its transcript.
    pub last: Option<Arc<CheckResult>>,
    /// The newest results, oldest first, at most 60.
    pub recent: Arc<[Recent]>,
    /// Open incidents, outage first.
    pub incidents: Vec<Incident>,
    /// When the next check is due; `None` while paused.
    pub next_check_at: Option<UnixMillis>,
    /// Paused by an operator (not by `enabled: false`).
    pub paused_by_operator: bool,
}

/// One result, small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recent {
    /// When it began.
    pub at: UnixMillis,
    /// What it said.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

/// State of the own uplink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UplinkView {
    /// No controls are configured.
    NotGuarded,
    /// Controls answer, or did when last asked.
    Fine,
    /// Lost since then: failures of targets beyond it are not judged.
    Lost(UnixMillis),
}

/// How the active config came to be, and what is wrong with a newer one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadView {
    /// SHA-256 of the active config's texts, in hex.
    pub active_hash: String,
    /// Since when it is active.
    pub active_since: UnixMillis,
    /// The files on disk were not valid at start: this is the last good copy.
    pub is_last_good_copy: bool,
    /// What is wrong with the files on disk; empty when they are active.
    pub problems: Vec<Problem>,
    /// When they were last looked at and found wrong or active.
    pub checked_at: UnixMillis,
    /// Changes that only a restart brings, such as `server.listen`.
    pub needs_restart: Vec<String>,
}
