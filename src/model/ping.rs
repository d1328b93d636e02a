//! What came in for a heartbeat, as it is logged: the ping, where it came from, and what it brought along.
//!
//! The log is what is durable when a ping is answered. What a ping changes (state, incident, messages) follows from it, and is worked
//! out again from the log when a crash came in between.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::heartbeat::HeartbeatState;
use crate::model::heartbeat::PingKind;
use crate::model::heartbeat::PingStamp;
use crate::model::heartbeat::RunId;
use crate::model::id::MonitorId;

/// Longest user agent that is kept, in characters, as in healthchecks.
pub const AGENT_CHARS_MAX: usize = 200;

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PingEntry {
    /// Of which heartbeat.
    pub heartbeat: MonitorId,
    /// Counts the entries of a heartbeat from 1; given when it is written, 0 before.
    pub number: u64,
    /// Which ping.
    pub stamp: PingStamp,
    /// What it was taken for.
    pub meaning: Meaning,
    /// The exit status it told.
    pub exit: Option<u8>,
    /// Of which run; `None`: the job does not tell its runs apart.
    pub run: Option<RunId>,
    /// How long the run took that it finished, as far as its start is known or it says so itself.
    pub took: Option<Duration>,
    /// It says what the one before it in its run said: a client that did not hear the answer.
    pub is_repeat: bool,
    /// How it came; `None`: another node received it.
    pub arrival: Option<Arrival>,
    /// What is kept of its body, byte for byte.
    pub body: Vec<u8>,
    /// How long its body was, as far as it was read.
    pub body_bytes: u64,
}

impl PingEntry {
    /// Whether less is kept of the body than came.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        u64::try_from(self.body.len()).is_ok_and(|kept| kept < self.body_bytes)
    }
}

/// What a request to a heartbeat was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// A ping.
    Ping(PingKind),
    /// Nothing: it is noted and changes nothing.
    Ignored(Ignored),
}

impl Meaning {
    /// Every meaning.
    pub const ALL: [Meaning; 7] = [
        Meaning::Ping(PingKind::Start),
        Meaning::Ping(PingKind::Success),
        Meaning::Ping(PingKind::Fail),
        Meaning::Ping(PingKind::Log),
        Meaning::Ignored(Ignored::Held),
        Meaning::Ignored(Ignored::Method),
        Meaning::Ignored(Ignored::NoKeyword),
    ];

    /// The word of the kind, `ignored` for what changes nothing.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Meaning::Ping(kind) => kind.word(),
            Meaning::Ignored(_) => "ignored",
        }
    }
}

/// Why a request changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// Paused, and only people resume it.
    Held,
    /// Only POST counts.
    Method,
    /// No keyword was found.
    NoKeyword,
}

impl Ignored {
    /// The word of it, for rows and the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Ignored::Held => "paused",
            Ignored::Method => "method",
            Ignored::NoKeyword => "no_keyword",
        }
    }
}

/// How a request came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Address of the client, as far as proxies on the way are trusted.
    pub address: Option<IpAddr>,
    /// What the client calls itself, at most [`AGENT_CHARS_MAX`] characters.
    pub agent: Option<String>,
    /// The method.
    pub method: String,
}

/// What a restart must not lose about a heartbeat, besides the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeatState {
    /// Whose.
    pub heartbeat: MonitorId,
    /// The state.
    pub state: HeartbeatState,
    /// Pings of this node up to this sequence are in it; later ones of the log are fed again after a crash.
    pub fed_until: u64,
}
