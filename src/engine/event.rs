//! Everything that can happen to the engine, and everything it can want done.

use std::borrow::Cow;
use std::sync::Arc;

use crate::config::Config;
use crate::engine::handle::Operation;
use crate::engine::handle::Refused;
use crate::engine::ping::Arrived;
use crate::engine::ping::NotTaken;
use crate::engine::snapshot::ReloadView;
use crate::model::change::StateChange;
use crate::model::monitor::Monitor;
use crate::model::net::HostPort;
use crate::model::peer::PeerNews;
use crate::model::peer::Record;
use crate::model::peer::Roster;
use crate::model::ping::PingEntry;
use crate::model::result::CheckResult;
use crate::model::time::Mono;
use crate::model::time::UnixMillis;
use crate::rules::selfcheck::Topic;
use crate::rules::selfcheck::Trouble;
use crate::rules::uplink::Round;

/// Something happened.
#[derive(Debug)]
pub enum Event {
    /// A check ended.
    Observed(Observed),
    /// A round of uplink controls ended.
    ControlsDone(Round),
    /// Another config is to be active from now on.
    ConfigChanged {
        /// The config.
        config: Arc<Config>,
        /// How it came to be.
        reload: Arc<ReloadView>,
    },
    /// The files on disk were looked at and the active config stays.
    ReloadJudged(Arc<ReloadView>),
    /// An operator asks for something.
    Asked {
        /// What.
        operation: Operation,
        /// Names the request in the answer.
        request: RequestId,
    },
    /// People should be told of something that happened to this instance and has no end.
    Notice(Notice),
    /// Something about this instance was looked at.
    Seen {
        /// What.
        topic: Topic,
        /// What is wrong with it; `None`: nothing.
        trouble: Option<Trouble>,
    },
    /// The database had to begin anew; what is held in memory is to be written again.
    StoreReplaced,
    /// A peer said something, or came, or went.
    Peers(PeerNews),
    /// A heartbeat was pinged here.
    Pinged {
        /// What came.
        arrived: Box<Arrived>,
        /// Names the ping in the answer.
        request: RequestId,
    },
    /// These pings were written, or could not be.
    PingsKept(Vec<(RequestId, bool)>),
    /// The program is about to stop: peers are told, so that they need not wait to find out.
    Stopping,
    /// Nothing but time passed.
    Tick,
}

/// A check that ended.
#[derive(Debug)]
pub struct Observed {
    /// Which check; numbers are never used twice.
    pub number: u64,
    /// When it began.
    pub began: Mono,
    /// What it says.
    pub result: CheckResult,
}

/// Something to say about this instance to `self.channels`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it is about; the same words at the same time are the same notice.
    pub about: Cow<'static, str>,
    /// Short, like a subject line.
    pub title: String,
    /// One or more sentences.
    pub text: String,
}

/// Names a request between the core and the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Something is to be done.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// Make this check now.
    Check {
        /// Names the check in its event.
        number: u64,
        /// What to check.
        monitor: Arc<Monitor>,
    },
    /// Ask the uplink controls now.
    AskControls(Vec<HostPort>),
    /// Note this result.
    Record(CheckResult),
    /// Make this durable, then answer these requests.
    Commit {
        /// What.
        change: StateChange,
        /// Who waits for it.
        answers: Vec<RequestId>,
        /// Told to peers once it is durable, never before.
        publish: Vec<Record>,
    },
    /// Tell peers this now: it need not survive anything.
    Publish(Vec<Record>),
    /// Tell the engine again what all peers say: the config knows monitors that it did not know when it was said.
    Replay,
    /// Ask a peer for the history since then: this node was away, or alone.
    Refill(UnixMillis),
    /// These nodes share the work from now on.
    Share(Arc<Roster>),
    /// Answer a request at once.
    Answer {
        /// Which.
        request: RequestId,
        /// How.
        answer: Result<(), Refused>,
    },
    /// Write a ping into the log, and say what became of that.
    KeepPing {
        /// Names it.
        request: RequestId,
        /// What is written.
        entry: Box<PingEntry>,
    },
    /// Answer a ping.
    AnswerPing {
        /// Which.
        request: RequestId,
        /// How.
        answer: Result<(), NotTaken>,
    },
    /// Say this in the log: something happened to this instance, not to a target.
    Note(String),
}
