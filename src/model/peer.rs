//! Peers: the instances that watch together, and what they tell each other.
//!
//! A node writes only what it says itself; readers merge. What is said comes in two kinds. *Observations* (meta, watermark, opinions)
//! hold for the run of the program that made them and are made anew after a restart. *Facts* (epochs, deliveries, pings, acts of
//! operators, forgotten nodes) stay true whoever said them and when, so that they are kept on disk and merged from every run of
//! every node, one's own earlier ones included.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::heartbeat::Ping;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::id::NodeName;
use crate::model::id::Region;
use crate::model::incident::Closed;
use crate::model::incident::Epoch;
use crate::model::incident::Lane;
use crate::model::notification::ServiceId;
use crate::model::policy::Acknowledgement;
use crate::model::policy::Silence;
use crate::model::policy::SilenceId;
use crate::model::result::Failure;
use crate::model::result::Phase;
use crate::model::result::code_of;
use crate::model::time::Mono;
use crate::model::time::UnixMillis;
use crate::model::update::About;
use crate::model::update::Announced;
use crate::model::update::AnnouncementId;
use crate::model::update::PostmortemPart;
use crate::model::update::Update;
use crate::model::update::UpdateId;
use crate::model::verdict::Confidence;
use crate::model::verdict::Diagnosis;
use crate::model::verdict::OpinionState;
use crate::model::verdict::RegionView;

/// From where an instance looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vantage {
    /// From outside, as users do.
    External,
    /// From inside the cluster or network that is watched.
    Internal,
}

impl Vantage {
    /// The word in YAML and the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Vantage::External => "external",
            Vantage::Internal => "internal",
        }
    }
}

/// One configured instance of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Unique in the cluster.
    pub name: NodeName,
    /// Where it is.
    pub region: Region,
    /// From where it looks.
    pub vantage: Vantage,
    /// `ws` or `wss` address at which others reach it; `None`: it can only dial.
    pub url: Option<url::Url>,
    /// Its public key, when it has one of its own instead of the one derived from the cluster's secret.
    pub key: Option<PublicKey>,
}

/// An Ed25519 public key (RFC 8032).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

/// Names a monitor in few bytes: the first 8 of the SHA-256 of its id. Thousands of opinions travel; ids are up to 200 bytes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonitorKey(pub u64);

impl MonitorKey {
    /// The key of a monitor.
    #[must_use]
    pub fn of(monitor: &MonitorId) -> MonitorKey {
        let digest = ring::digest::digest(&ring::digest::SHA256, monitor.as_str().as_bytes());
        MonitorKey(digest.as_ref().iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }
}

/// Something a node says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// About itself. Observation.
    Meta(Meta),
    /// Its scheduler turns. Observation.
    Watermark(Watermark),
    /// What it holds of a monitor. Observation.
    Opinion(PeerOpinion),
    /// An incident opened or closed. Fact; the highest epoch of a lane wins.
    Epoch(Box<EpochFact>),
    /// What became of an attempt to deliver a message. Fact; sent wins, then the highest attempt.
    Delivery(DeliveryFact),
    /// What a node received of a heartbeat. Fact; all are kept, up to the newest few of each node.
    Ping(PingFact),
    /// What an operator did at run time. Fact; the last writer wins.
    Operator(OperatorFact),
    /// This node is gone for good. Fact; all are kept.
    Forgotten(NodeName),
}

/// What a node says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// Where it is.
    pub region: Region,
    /// From where it looks.
    pub vantage: Vantage,
    /// Version of the program.
    pub version: String,
    /// Digest of its config's texts; nodes with the same have the same config.
    pub config_digest: String,
    /// Whether it takes part.
    pub readiness: Readiness,
    /// Its clock is so far off that it decides last.
    pub is_clock_off: bool,
    /// How far the common clock is ahead of its own, in milliseconds and roughly; `None` when it has compared too few clocks to know.
    pub clock_offset_ms: Option<i64>,
    /// When it started.
    pub started_at: UnixMillis,
}

/// A clock this many milliseconds off is corrected, said so on the peers page, and its node decides last.
pub const CLOCK_OFF_MS: i64 = 60_000;

/// Whether a node takes part in decisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It has just started: it looks and listens, and neither votes nor decides nor sends.
    Settling,
    /// It takes part.
    Ok,
    /// Its own network is in trouble: nobody counts what it says. The text says why, for people.
    Abstaining(String),
    /// It is stopping.
    Draining,
}

/// Says that a node's scheduler turns, and what the node had heard of the others by then: whoever finds its own number in it knows
/// everything that the node did before that number was made, however long news takes (Mattern, "Virtual Time", 1989).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watermark {
    /// How late its most overdue check is.
    pub overdue: Duration,
    /// Grows with each, over restarts too.
    pub number: u64,
    /// Its author waits for such numbers of the others, soon.
    pub asks: bool,
    /// The newest number of each other node that it had heard.
    pub seen: BTreeMap<NodeName, u64>,
}

/// What a node holds of a monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerOpinion {
    /// Of which.
    pub monitor: MonitorKey,
    /// What.
    pub state: OpinionState,
    /// Since when, by the common clock.
    pub since: UnixMillis,
    /// Digest of what decides the outcome; votes about different probes are not counted together.
    pub probe_hash: u32,
    /// Why, when it is bad.
    pub cause: Option<Cause>,
}

/// Why something failed, in the form that travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Stable word.
    pub code: String,
    /// One sentence without a full stop, at most [`CAUSE_CHARS_MAX`] characters.
    pub text: String,
    /// How far the check got, as far as it helps to say where the trouble is.
    pub stage: Stage,
}

/// Longest sentence of a cause that travels: enough for every sentence of ours about a name of usual length.
pub const CAUSE_CHARS_MAX: usize = 240;

impl Cause {
    /// The form that travels.
    #[must_use]
    pub fn of(failure: &Failure) -> Cause {
        let text = failure.to_string();
        let text = if text.chars().count() <= CAUSE_CHARS_MAX {
            text
        } else {
            let mut short: String = text.chars().take(CAUSE_CHARS_MAX - 1).collect();
            short.push('…');
            short
        };
        Cause { code: failure.code().to_owned(), text, stage: Stage::of(failure) }
    }

    /// The failure as told by somebody else.
    #[must_use]
    pub fn into_failure(self) -> Failure {
        Failure::Reported { code: code_of(&self.code), text: self.text, stage: self.stage }
    }
}

/// How far a check got before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The name was not found.
    Dns,
    /// No connection.
    Connect,
    /// No agreement on TLS, or a certificate that is no good.
    Tls,
    /// Something in front of the service answered that the service does not: 502, 503, 504.
    Gateway,
    /// The service answered, and not as expected.
    Answer,
    /// Anything else.
    Other,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Stage; 6] = [Stage::Dns, Stage::Connect, Stage::Tls, Stage::Gateway, Stage::Answer, Stage::Other];

    /// How far this failure got.
    #[must_use]
    pub fn of(failure: &Failure) -> Stage {
        match failure {
            Failure::Dns { .. } => Stage::Dns,
            Failure::Refused { .. } | Failure::Unreachable { .. } => Stage::Connect,
            Failure::Closed { phase, .. } | Failure::TimedOut { phase, .. } => match phase {
                Phase::Dns => Stage::Dns,
                Phase::Connect => Stage::Connect,
                Phase::Tls => Stage::Tls,
                Phase::FirstByte | Phase::Transfer => Stage::Answer,
            },
            Failure::Tls(_) | Failure::CertificateEnds { .. } => Stage::Tls,
            Failure::Status { got: 502..=504, .. } => Stage::Gateway,
            Failure::Status { .. }
            | Failure::Body { .. }
            | Failure::Header { .. }
            | Failure::Json { .. }
            | Failure::Banner { .. }
            | Failure::Slow { .. }
            | Failure::Protocol { .. }
            | Failure::Redirect { .. } => Stage::Answer,
            Failure::Proxy { .. } | Failure::Forbidden { .. } | Failure::Partly { .. } | Failure::Heartbeat { .. } | Failure::Own(_) => {
                Stage::Other
            }
            Failure::Reported { stage, .. } => *stage,
        }
    }

    /// The word on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Stage::Dns => "dns",
            Stage::Connect => "connect",
            Stage::Tls => "tls",
            Stage::Gateway => "gateway",
            Stage::Answer => "answer",
            Stage::Other => "other",
        }
    }
}

/// An incident opened or closed: the newest state of a lane, with enough of the incident that a node which saw neither can keep it
/// and owe what is owed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochFact {
    /// Whose.
    pub monitor: MonitorId,
    /// The incident's id when it is not the one that follows from cluster, monitor and epoch: it began before there were peers.
    pub incident: Option<IncidentId>,
    /// What kind.
    pub lane: Lane,
    /// Odd: the incident is open. Even: it is the incident of the epoch before, and over.
    pub epoch: Epoch,
    /// The monitor's name when it opened.
    pub monitor_name: String,
    /// Time of the first bad check, by the common clock.
    pub opened_at: UnixMillis,
    /// When it was decided.
    pub confirmed_at: UnixMillis,
    /// How it ended; `Some` exactly when the epoch is even.
    pub closed: Option<Closed>,
    /// How the incident before it ended, as far as it is known: whoever was away then learns it with the next one.
    pub before: Option<Closed>,
    /// Why it opened.
    pub cause: Cause,
    /// Who said what when it opened.
    pub regions: RegionView,
    /// How sure the opening was.
    pub confidence: Confidence,
    /// Where the trouble is, as far as one can tell.
    pub diagnosis: Option<Diagnosis>,
    /// Who decided.
    pub by: NodeName,
    /// When this epoch was reached, by the common clock.
    pub at: UnixMillis,
}

/// What became of an attempt to deliver a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryFact {
    /// Key of the message.
    pub key: String,
    /// What.
    pub step: DeliveryStep,
    /// What the service calls the message, when it was sent and the service said so.
    pub called: Option<ServiceId>,
}

/// How far a delivery got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryStep {
    /// The author is about to make this attempt; counted from 0.
    Claimed {
        /// Which attempt.
        attempt: u32,
    },
    /// This attempt of the author's did not work.
    Failed {
        /// Which attempt.
        attempt: u32,
        /// It was not answered, so that it may have arrived.
        is_unanswered: bool,
    },
    /// The channel accepted it.
    Sent {
        /// When.
        at: UnixMillis,
    },
}

/// What one node received of a heartbeat lately. Of different nodes all are kept side by side: together they are a set, and everything
/// that a heartbeat is follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PingFact {
    /// Of which heartbeat.
    pub heartbeat: MonitorId,
    /// Who received them.
    pub node: NodeName,
    /// In the order of their stamps, at most [`PINGS_TOLD_MAX`], and of notes the newest only.
    pub pings: Vec<Ping>,
}

/// Pings of one node and heartbeat that are told at most: more than come between two rounds of gossip, few enough for one message.
pub const PINGS_TOLD_MAX: usize = 24;

/// What an operator did at run time. One record kind with one merge rule for everything operators do: the last writer wins, by
/// hybrid logical clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorFact {
    /// What it is about; a later act about the same replaces the earlier one.
    pub act: OperatorAct,
    /// When, in an order that all nodes agree on.
    pub stamp: Stamp,
    /// Whether it holds; `false` takes it back, and is kept until nobody can tell the old news any more.
    pub holds: bool,
    /// What was said with it.
    pub said: Said,
}

/// What an operator said with an act.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Said {
    /// Nothing; the act says it all.
    #[default]
    Nothing,
    /// With an acknowledgement.
    Acknowledgement(Acknowledgement),
    /// With a silence.
    Silence(Silence),
    /// What it was about is over. Nobody took anything back: each node finds by itself that it does not hold any more.
    Over,
    /// An update or note.
    Update(Update),
    /// A piece of a postmortem.
    Postmortem(PostmortemPart),
    /// An announcement.
    Announcement(Announced),
}

/// What operators can do at run time and every node must know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OperatorAct {
    /// A monitor is not checked until it is resumed.
    Pause(MonitorId),
    /// A heartbeat was created by a ping; its slug is its id.
    Create(MonitorId),
    /// Somebody is at work on an incident, or does not want to hear of it for a while.
    Acknowledge(IncidentId),
    /// Nobody is told of new trouble of some monitors.
    Silence(SilenceId),
    /// Somebody wrote an update or note.
    Update(About, UpdateId),
    /// Somebody wrote a postmortem; it is told in pieces, counted from 0.
    Postmortem(IncidentId, u8),
    /// Somebody announced something.
    Announce(AnnouncementId),
}

/// A hybrid logical clock: wall time that never goes back, a counter within one millisecond, and the writer to break ties
/// (Kulkarni et al., "Logical Physical Clocks", 2014).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// The greater of the writer's wall time and every time it has seen.
    pub wall: UnixMillis,
    /// Counts acts of the same millisecond.
    pub counter: u32,
    /// Who.
    pub by: NodeName,
}

/// What the engine hears of its peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerNews {
    /// A node's newest run began: what an earlier run of it observed counts no more.
    Began(NodeName),
    /// A node said this; observations come from its newest run only, facts from any run, one's own earlier ones included.
    Told {
        /// Who.
        node: NodeName,
        /// What.
        records: Vec<Record>,
    },
    /// These nodes are alive and reachable by gossip; one's own is not among them.
    Live(BTreeSet<NodeName>),
    /// How far the clocks of peers are ahead of ours, in milliseconds, by node; those that are not linked are missing.
    ClockOffsets(BTreeMap<NodeName, i64>),
    /// History that a peer had and we did not is in the store now: read what is shown of it again.
    Refilled,
}

/// Who takes part right now, for whoever shares work among the nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    /// This node.
    pub me: NodeName,
    /// Nodes among which work is shared, in name order. One that fell silent keeps its place for a moment, so that a false suspicion
    /// does not make two nodes the first.
    pub eligible: Vec<NodeName>,
    /// Since when these and no others. Whoever is not the first among them waits from then on: after a change of the order nobody's turn
    /// has been waited for yet.
    pub eligible_since: Mono,
    /// Nodes that were heard lately, this one included.
    pub live: BTreeSet<NodeName>,
    /// This node takes part: it has settled and does not abstain.
    pub is_ready: bool,
}
