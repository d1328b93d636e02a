//! What the parts of this module say to each other, and what pages show of links.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;

use crate::model::id::NodeName;
use crate::model::time::UnixMillis;

/// Longest frame of a link, its header included. Gossip messages are at most 64 KiB; answers travel in pieces.
pub const FRAME_BYTES_MAX: usize = 128 * 1024;

/// Longest answer to a question, in all its pieces.
pub const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Carries datagrams to linked nodes.
pub trait Carrier: Debug + Send + Sync + 'static {
    /// Sends a datagram. Without a link, or when too much waits already, it is dropped without a word: gossip repeats itself.
    fn send(&self, to: &NodeName, datagram: Bytes);

    /// Nodes with a link.
    fn linked(&self) -> Vec<NodeName>;
}

/// What links report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// A link is up.
    Up(NodeName),
    /// A link is gone.
    Down(NodeName),
    /// A datagram came.
    Datagram(NodeName, Bytes),
    /// How far the clocks of linked nodes are ahead of ours, in milliseconds.
    ClockOffsets(BTreeMap<NodeName, i64>),
}

/// A link as pages show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkView {
    /// To which node.
    pub node: NodeName,
    /// How it is.
    pub state: LinkState,
    /// The other end's address as far as it is known: who dialed us, or where we dial.
    pub address: Option<String>,
    /// Newest round trip of a ping.
    pub round_trip: Option<Duration>,
    /// How far the other clock is ahead, in milliseconds, by the pings with the shortest round trips.
    pub clock_offset_ms: Option<i64>,
    /// Bytes sent and received since the link is up.
    pub n_bytes: (u64, u64),
    /// Who makes the link.
    pub dialer: Dialer,
}

/// Which side of a pair makes its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialer {
    /// This node.
    Here,
    /// The other one.
    There,
    /// Neither has a URL: they hear each other through others.
    Nobody,
}

/// A link that was refused lately. But for twins nothing of it is proved: it is what a stranger said of himself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedLink {
    /// When last.
    pub at: UnixMillis,
    /// What it calls itself.
    pub node: Option<String>,
    /// Where it comes from.
    pub from: String,
    /// Why, in one sentence without a full stop.
    pub why: String,
    /// Two instances proved to be the same node.
    pub is_twin: bool,
}

/// How a link is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// Up since then; whether we dialed.
    Up {
        /// Since when.
        since: UnixMillis,
        /// This node dialed.
        is_dialed: bool,
    },
    /// Being dialed, or waited for.
    Down {
        /// Since when.
        since: UnixMillis,
        /// Why it is not up, in one sentence without a full stop; `None`: nothing was tried yet, or the other side is to dial.
        error: Option<String>,
    },
}

/// A question to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// What kind of question; the words are listed in `crate::peer::answer`.
    pub about: String,
    /// Its particulars, as JSON.
    pub body: Bytes,
}

/// Why a question got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// There is no link.
    #[error("there is no link to `{0}`")]
    NotLinked(NodeName),
    /// The link went down, or nothing came in time.
    #[error("`{0}` did not answer")]
    NoAnswer(NodeName),
    /// It answered that it cannot.
    #[error("`{node}` refused: {why}")]
    Refused {
        /// Who.
        node: NodeName,
        /// Why, in its words.
        why: String,
    },
}

/// Answers questions of other nodes.
pub trait Answers: Debug + Send + Sync + 'static {
    /// Answers, or says why not in one sentence.
    fn answer<'a>(&'a self, from: &'a NodeName, ask: Ask) -> Pin<Box<dyn Future<Output = Result<Bytes, String>> + Send + 'a>>;
}
