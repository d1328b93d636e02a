//! What the engine shows of itself: an immutable picture for pages, API and command line, made at most once a second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::config::Problem;
use crate::model::heartbeat::Heartbeat;
use crate::model::heartbeat::HeartbeatState;
use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::id::NodeName;
use crate::model::id::Region;
use crate::model::incident::Incident;
use crate::model::maintenance::Span;
use crate::model::maintenance::Window;
use crate::model::monitor::Monitor;
use crate::model::peer::Meta;
use crate::model::peer::Vantage;
use crate::model::policy::Acknowledgement;
use crate::model::policy::Silence;
use crate::model::policy::SilenceId;
use crate::model::result::CheckResult;
use crate::model::result::Outcome;
use crate::model::time::UnixMillis;
use crate::model::update::Texts;
use crate::model::verdict::Diagnosis;
use crate::model::verdict::Opinion;
use crate::model::verdict::OpinionState;
use crate::model::verdict::RegionView;
use crate::model::verdict::Verdict;
use crate::rules::heartbeat::Assessment;
use crate::rules::heartbeat::Phase;
use crate::rules::heartbeat::Spell;
use crate::rules::heartbeat::missed_runs;

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
    /// Silences that hold.
    pub silences: Vec<(SilenceId, Silence)>,
    /// What people wrote about incidents, and announced.
    pub texts: Arc<Texts>,
    /// The cluster; `None` when watching alone.
    pub cluster: Option<Arc<ClusterView>>,
    /// How the active config came to be, and what is wrong with a newer one.
    pub reload: Arc<ReloadView>,
    /// What is wrong with this instance itself, besides what the other fields say.
    pub troubles: Vec<TroubleView>,
}

/// Something that is wrong with this instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TroubleView {
    /// Short.
    pub title: String,
    /// One or more sentences.
    pub text: String,
    /// Since when.
    pub since: UnixMillis,
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
    /// What each configured voter says, in the order of the config; alone, this instance only.
    pub votes: Vec<VoteView>,
    /// What the votes say together.
    pub agreement: Agreement,
    /// Who decides about it and sends its messages; `None` when watching alone, or while nobody may.
    pub decider: Option<NodeName>,
    /// Where the trouble is, as far as the vantages inside and outside tell.
    pub diagnosis: Option<Diagnosis>,
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
    /// The maintenance window that is open for it, if one is.
    pub upkeep: Option<OpenWindow>,
    /// What a heartbeat is; `None` for monitors of other kinds.
    pub heartbeat: Option<Arc<HeartbeatView>>,
    /// How far people have been told of its open incidents.
    pub alerts: Vec<AlertView>,
}

/// How far people have been told of an open incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertView {
    /// Which.
    pub incident: IncidentId,
    /// Who is at work on it.
    pub acknowledged: Option<Acknowledgement>,
    /// Channels that were told.
    pub told: Vec<ChannelName>,
    /// Channels that are to be told and have to wait.
    pub waiting: Vec<ChannelName>,
    /// What they wait for.
    pub held: Option<Held>,
    /// When somebody is told next, as far as only time is waited for; by the common clock.
    pub next_at: Option<UnixMillis>,
}

/// What holds messages about an incident back. Times are those of the common clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// A maintenance window, until then.
    Maintenance(UnixMillis),
    /// A silence, until then.
    Silence(SilenceId, UnixMillis),
    /// It goes up and down; it may have calmed down by then.
    Flapping(UnixMillis),
    /// This parent is down, suspected or unknown.
    Parent(MonitorId),
    /// This parent is being asked.
    Asking(MonitorId),
    /// A parent is fine again, and it may recover as well until then.
    Settling(UnixMillis),
    /// Openings are gathered until then.
    Gathering(UnixMillis),
}

/// A maintenance window that is open.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenWindow {
    /// Which.
    pub window: Arc<Window>,
    /// From when to when.
    pub span: Span,
}

/// A heartbeat at one moment. All times are those of the common clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatView {
    /// What it is, and when that changes.
    pub seen: Assessment,
    /// What is remembered of it: the schedule with this gives slots, missed ones, windows in which nothing could be received.
    pub state: HeartbeatState,
    /// Its newest runs, newest first.
    pub spells: Vec<Spell>,
    /// Its silence is not believed yet: peers are asked.
    pub is_overdue: bool,
    /// "Wrong time zone?", in words.
    pub hint: Option<String>,
}

impl HeartbeatView {
    /// Runs that are missing at this moment: while it is down nothing wakes the engine when one more is missed.
    #[must_use]
    pub fn n_missed(&self, rules: &Heartbeat, now: UnixMillis) -> usize {
        if self.seen.phase == Phase::Down { missed_runs(rules, &self.state, now) } else { 0 }
    }
}

/// What one voter says of a monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoteView {
    /// Who; `None` for this instance when it watches alone.
    pub node: Option<NodeName>,
    /// Where.
    pub region: Region,
    /// From where it looks.
    pub vantage: Vantage,
    /// It is this instance.
    pub is_me: bool,
    /// What it holds; `Unknown` when nothing was heard.
    pub state: OpinionState,
    /// Since when.
    pub since: Option<UnixMillis>,
    /// Why, when it is bad.
    pub cause: Option<String>,
    /// Why its vote does not count; `None`: it counts.
    pub ignored: Option<Ignored>,
}

/// Why a vote does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ignored {
    /// It has not been heard for a while.
    Silent,
    /// Its scheduler does not turn.
    Wedged,
    /// It has just started.
    Settling,
    /// Its own network is in trouble.
    Abstains,
    /// It contradicts everybody else about most of what it sees.
    Outlier,
    /// It is stopping.
    Draining,
    /// It checks something else under this id: its config differs.
    OtherProbe,
    /// It knows nothing (yet), or is paused.
    NoOpinion,
    /// An operator said that it is gone for good.
    Forgotten,
}

impl Ignored {
    /// In a few words, for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Ignored::Silent => "not heard",
            Ignored::Wedged => "does not check",
            Ignored::Settling => "has just started",
            Ignored::Abstains => "abstains: its own network is in trouble",
            Ignored::Outlier => "contradicts all others",
            Ignored::Draining => "is stopping",
            Ignored::OtherProbe => "checks something else: its config differs",
            Ignored::NoOpinion => "knows nothing yet",
            Ignored::Forgotten => "was forgotten",
        }
    }

    /// The word in the API, for a node whose votes do not count.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Ignored::Silent => "silent",
            Ignored::Wedged => "wedged",
            Ignored::Settling => "settling",
            Ignored::Abstains => "abstains",
            Ignored::Outlier => "outlier",
            Ignored::Draining => "draining",
            Ignored::OtherProbe => "other_probe",
            Ignored::NoOpinion => "no_opinion",
            Ignored::Forgotten => "forgotten",
        }
    }
}

/// What the votes say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Agreement {
    /// There is a verdict.
    #[default]
    Agreed,
    /// A minority says down.
    Regional,
    /// As many say one thing as the other: what held goes on.
    Contested,
    /// Too few votes count: what held goes on.
    Insufficient,
}

impl Agreement {
    /// The word in the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Agreement::Agreed => "agreed",
            Agreement::Regional => "regional",
            Agreement::Contested => "contested",
            Agreement::Insufficient => "insufficient",
        }
    }
}

/// The cluster at one moment, as this node sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterView {
    /// Its name.
    pub name: String,
    /// This node.
    pub me: NodeName,
    /// All configured nodes, in the order of the config. Forgotten ones are among them only while they still speak.
    pub nodes: Vec<NodeView>,
    /// Nodes that are gone for good; their names never come back.
    pub forgotten: Vec<NodeName>,
    /// This node takes part in decisions.
    pub is_ready: bool,
    /// The nodes that are seen are enough to decide at once.
    pub is_primary: bool,
    /// After this a part that is not primary acts alone; `None`: it never does.
    pub solo_after: Option<Duration>,
    /// How far this node's clock is behind the others' (negative: ahead), in milliseconds, when it is known.
    pub clock_offset_ms: Option<i64>,
}

impl ClusterView {
    /// This node.
    #[must_use]
    pub fn own(&self) -> Option<&NodeView> {
        self.nodes.iter().find(|node| node.is_me)
    }

    /// Nodes that belong to the cluster: all that are not forgotten.
    pub fn members(&self) -> impl Iterator<Item = &NodeView> {
        self.nodes.iter().filter(|node| node.is_me || node.ignored != Some(Ignored::Forgotten))
    }

    /// How many of them are heard, and how many there are.
    #[must_use]
    pub fn n_live(&self) -> (usize, usize) {
        (self.members().filter(|node| node.is_live).count(), self.members().count())
    }
}

/// A node at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeView {
    /// Which.
    pub name: NodeName,
    /// Where.
    pub region: Region,
    /// From where it looks.
    pub vantage: Vantage,
    /// It is this node.
    pub is_me: bool,
    /// It is configured here.
    pub is_configured: bool,
    /// It was heard lately.
    pub is_live: bool,
    /// All that it did until this long ago is known here; `None` for this node, and when nothing is known of it.
    pub known_ago: Option<Duration>,
    /// Why its votes do not count; `None`: they do.
    pub ignored: Option<Ignored>,
    /// Why it abstains.
    pub abstains: Option<String>,
    /// What it says about itself; `None` when it was never heard.
    pub meta: Option<Meta>,
    /// It has the same config as this node; `None` when it was never heard.
    pub has_same_config: Option<bool>,
    /// How many monitors it decides about at the moment.
    pub n_decides: usize,
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
    /// What became of the last changes of the files since the program started, newest first; a few.
    pub recent: Vec<Reloaded>,
}

/// What became of a change of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// When it was judged.
    pub at: UnixMillis,
    /// SHA-256 of the texts that became active, in hex; `None`: they were not valid and changed nothing.
    pub hash: Option<String>,
    /// In one line.
    pub summary: String,
    /// One line for each thing that is different, as far as there are not too many.
    pub lines: Vec<String>,
    /// Lines that were too many.
    pub n_more: usize,
}
