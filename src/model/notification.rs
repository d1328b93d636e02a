//! Messages owed to people.

use std::time::Duration;

use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::id::Region;
use crate::model::incident::CloseReason;
use crate::model::incident::Lane;
use crate::model::policy::Acknowledgement;
use crate::model::time::UnixMillis;
use crate::model::verdict::Confidence;
use crate::model::verdict::Diagnosis;
use crate::model::verdict::Verdict;

/// What a message is about; the words a channel's `on:` lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// An outage began.
    Down,
    /// A degradation began.
    Degraded,
    /// Either ended.
    Recovered,
    /// A minority of regions disagrees.
    Regional,
    /// It still lasts.
    Reminder,
    /// Somebody is at work on it.
    Acknowledged,
    /// A certificate ends soon.
    Certificate,
    /// About vigilmon itself.
    SelfNotice,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [EventKind; 8] = [
        EventKind::Down,
        EventKind::Degraded,
        EventKind::Recovered,
        EventKind::Regional,
        EventKind::Reminder,
        EventKind::Acknowledged,
        EventKind::Certificate,
        EventKind::SelfNotice,
    ];

    /// The word in YAML and payloads.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            EventKind::Down => "down",
            EventKind::Degraded => "degraded",
            EventKind::Recovered => "recovered",
            EventKind::Regional => "regional",
            EventKind::Reminder => "reminder",
            EventKind::Acknowledged => "acknowledged",
            EventKind::Certificate => "certificate",
            EventKind::SelfNotice => "self",
        }
    }

    /// Whether it is the first that is said about an incident. Each incident is opened by one event only.
    #[must_use]
    pub fn opens(self) -> bool {
        match self {
            EventKind::Down | EventKind::Degraded | EventKind::Regional | EventKind::Certificate => true,
            EventKind::Recovered | EventKind::Reminder | EventKind::Acknowledged | EventKind::SelfNotice => false,
        }
    }
}

/// What a service calls a message of ours, so that later ones can refer to it. The service chose it, so it is nothing but a short word: it
/// holds no spaces and no control characters, and whoever puts it into an address or a text encodes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceId(String);

impl ServiceId {
    /// Longest id: ids of Matrix have up to 255 bytes, and nobody's are longer. With it goes the place where it holds.
    pub const BYTES_MAX: usize = 512;

    /// The id, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<ServiceId> {
        let is_fine = (1..=ServiceId::BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_fine.then(|| ServiceId(text.to_owned()))
    }

    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The message that told of an incident first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Its key.
    pub key: String,
    /// What the service calls it, as far as this node has noted it.
    pub called: Option<ServiceId>,
}

/// One message owed to one channel: a row of the outbox. Everything needed to say it later is inside, so that neither a reload
/// nor a restart changes what is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Stable and unique: the same message has the same key on every node and at every attempt.
    pub key: String,
    /// To whom.
    pub channel: ChannelName,
    /// What about.
    pub event: EventKind,
    /// When it was decided.
    pub at: UnixMillis,
    /// What to say.
    pub subject: Subject,
    /// Whoever was sending this before has not said what became of it, so it may have arrived. Known when it is sent, and no part of what is owed.
    pub may_be_repeat: bool,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Something about a monitor's incident.
    Incident(Box<IncidentFacts>),
    /// Something about vigilmon itself.
    SelfNotice {
        /// Short, like a subject line.
        title: String,
        /// One or more sentences.
        text: String,
    },
    /// An incident from its beginning to its end: both waited and are told in one. Made when it is sent.
    Passed(Box<IncidentFacts>),
    /// Several messages in one, in the order in which they were decided. Made when it is sent; its parts are never bundles themselves.
    Bundle(Vec<Notification>),
}

/// What there is to say about an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentFacts {
    /// Which incident.
    pub incident: IncidentId,
    /// Whose.
    pub monitor: MonitorId,
    /// What people call it.
    pub monitor_name: String,
    /// Its group.
    pub group: Option<String>,
    /// Its target: a URL without user info, or `tcp://host:port`.
    pub target: String,
    /// What it is now: `down`, `degraded` or `up`.
    pub status: Verdict,
    /// Time of the first bad check.
    pub started_at: UnixMillis,
    /// How long it has lasted, or lasted in all.
    pub duration: Duration,
    /// Why, in one sentence without a full stop.
    pub cause: String,
    /// Stable word for the cause.
    pub cause_code: String,
    /// What kind of incident.
    pub lane: Lane,
    /// How it ended; `None` while it lasts.
    pub closed: Option<CloseReason>,
    /// Regions that hold it down or degraded.
    pub regions_failing: Vec<Region>,
    /// Regions that held it down or degraded when it opened; unlike `regions_failing` also once it is over.
    pub regions_failed: Vec<Region>,
    /// Regions that hold it up.
    pub regions_fine: Vec<Region>,
    /// Regions that said nothing that counts.
    pub regions_unknown: Vec<Region>,
    /// How sure.
    pub confidence: Confidence,
    /// Nodes whose votes counted, and nodes that are configured to vote; equal or `(1, 1)` when watching alone.
    pub n_voters: (usize, usize),
    /// Where the trouble is, as far as the vantages inside and outside tell.
    pub diagnosis: Option<Diagnosis>,
    /// One line of what was seen.
    pub evidence: String,
    /// What to do.
    pub runbook: Option<String>,
    /// What has been done about it, and what its being told is part of.
    pub alert: AlertFacts,
}

/// What a message about an incident says besides the incident itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlertFacts {
    /// Who is at work on it, until when nobody is reminded, and what they say.
    pub acknowledged: Option<Acknowledgement>,
    /// Why it is told again; `None` when it is not.
    pub again: Option<Again>,
    /// Monitors that depend on this one: nobody is told of them while it is down.
    pub n_dependents: usize,
    /// It goes up and down: so many changes, and people are told again when it has calmed down.
    pub n_flaps: Option<u32>,
}

/// Why something is told again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It is time for a reminder, the one of this number.
    Reminder(u32),
    /// Nobody has done anything about it for so long that the next ones are told, and these again.
    Escalation,
    /// Somebody wanted to hear of it again about now.
    SnoozeOver,
    /// Whoever had acknowledged it has taken that back.
    Withdrawn,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_short_word() {
        for text in ["1", "1100000000000000000", "$abc:matrix.example", "-1001/7:42", &"x".repeat(ServiceId::BYTES_MAX)] {
            assert_eq!(ServiceId::parse(text).as_ref().map(ServiceId::as_str), Some(text));
        }
        for text in ["", "a b", "a\nb", "é", "\u{1b}[0m", &"x".repeat(ServiceId::BYTES_MAX + 1)] {
            assert_eq!(ServiceId::parse(text), None, "{text:?}");
        }
    }
}
