//! What the store takes and gives back, besides the nouns of the model.

use std::time::Duration;

use crate::model::change::MonitorState;
use crate::model::change::StoredFact;
use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::incident::Incident;
use crate::model::notification::Notification;
use crate::model::notification::Opening;
use crate::model::notification::ServiceId;
use crate::model::ping::BeatState;
use crate::model::ping::PingEntry;
use crate::model::result::RecentResults;
use crate::model::time::UnixMillis;

/// How to open, when the defaults do not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenOptions {
    /// Use a network file system all the same: the operator says that its locks work.
    pub allow_network_fs: bool,
}

/// What was found while opening.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Opened {
    /// The database was damaged, was set aside under this name, and a new one was begun.
    pub set_aside: Option<String>,
    /// Schema version before migrations ran, and the name of the copy that was kept.
    pub migrated_from: Option<(i64, String)>,
}

/// What a start needs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Loaded {
    /// Of every monitor that has one.
    pub states: Vec<MonitorState>,
    /// The newest results, at most 60 of each monitor, transcripts left out.
    pub recent: RecentResults,
    /// Open ones.
    pub incidents: Vec<Incident>,
    /// What is shared with peers.
    pub facts: Vec<StoredFact>,
    /// The last [`Store::alive`] of the run before; `None` on the first start.
    pub last_alive: Option<UnixMillis>,
    /// States of heartbeats.
    pub beats: Vec<BeatState>,
    /// Pings of the log that are not in those states, oldest first, without bodies: a crash came in between.
    pub unfed: Vec<PingEntry>,
    /// The highest sequence of a ping that this node received, and when it last received one.
    pub last_ping: Option<(u64, UnixMillis)>,
}

/// A row of the outbox, leased to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// Key of the row.
    pub id: i64,
    /// Attempts that were made before this one.
    pub n_attempts: u32,
    /// Since when it is owed: since it was decided, or since somebody asked for it again after it had been given up.
    pub owed_since: UnixMillis,
    /// What to say.
    pub notification: Notification,
    /// Of several recipients those that are still to be told; none when it is to be told as a whole.
    pub remaining: Vec<String>,
    /// Something newer about the same waits behind it.
    pub is_overtaken: bool,
    /// It ends an incident of which the beginning was given up.
    pub is_opening_lost: bool,
    /// The message that told of its incident first, when one arrived and this is not one itself.
    pub opening: Option<Opening>,
    /// What waits behind it about the same incident, in order, as far as nothing else stands in between; not leased, and a limited number.
    /// Behind a degradation also what is about the outage that it became.
    pub behind: Vec<OutboxRow>,
}

/// What became of a claimed row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// Accepted.
    Sent {
        /// When.
        at: UnixMillis,
    },
    /// Accepted as a part of another message.
    Together {
        /// When.
        at: UnixMillis,
        /// The key of that message.
        with: String,
    },
    /// Not accepted; to be tried again.
    Retry {
        /// When.
        next_at: UnixMillis,
        /// Why it was not accepted.
        error: String,
        /// There was no answer to what it says: the next attempt has to say that it may be a repeat.
        may_have_arrived: bool,
    },
    /// Accepted for some of its recipients; the others are to be tried again. At once and for the last time when something newer about the
    /// same waits, and not at all when that was told already.
    Partly {
        /// When it was accepted.
        at: UnixMillis,
        /// When.
        next_at: UnixMillis,
        /// Why not for all.
        error: String,
        /// The others.
        remaining: Vec<String>,
    },
    /// Accepted for some of its recipients, and the others are given up.
    Enough {
        /// When.
        at: UnixMillis,
        /// Why not for all.
        error: String,
    },
    /// Not tried: it is somebody else's turn. To be looked at again.
    Waits {
        /// When.
        next_at: UnixMillis,
    },
    /// Another node sent it.
    Elsewhere {
        /// When.
        at: UnixMillis,
    },
    /// Given up.
    Dead {
        /// When.
        at: UnixMillis,
        /// Why.
        error: String,
        /// There was no answer to what it says.
        may_have_arrived: bool,
    },
}

/// What became of a notification; for the delivery log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its row.
    pub id: i64,
    /// Its key.
    pub key: String,
    /// To whom.
    pub channel: ChannelName,
    /// The word of its event.
    pub event: String,
    /// Which incident; `None` for notices about vigilmon itself.
    pub incident: Option<IncidentId>,
    /// The name of the monitor, or the title of the notice.
    pub about: String,
    /// When it was decided.
    pub at: UnixMillis,
    /// How many attempts were made.
    pub n_attempts: u32,
    /// Attempts that are kept, oldest first, each with its number: the first few and the last ones.
    pub attempts: Vec<(u32, Attempt)>,
    /// Where it stands.
    pub state: DeliveryState,
    /// The message of the same monitor that goes first, when this one waits for that.
    pub behind: Option<i64>,
    /// What went wrong last, secrets masked.
    pub last_error: Option<String>,
    /// What the service calls it, when it was sent from here and the service said so.
    pub called: Option<ServiceId>,
}

/// Where a notification stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// Waiting; next attempt then, of this one or of that before it.
    Waiting(UnixMillis),
    /// Accepted then.
    Sent(UnixMillis),
    /// Given up then.
    Dead(UnixMillis),
}

/// One attempt to deliver a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When it began.
    pub at: UnixMillis,
    /// How long it took.
    pub took: Duration,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// Why it was not accepted, in one sentence.
    pub reason: Option<String>,
    /// What the other side said, if it said anything.
    pub answer: Option<Answered>,
    /// What the service calls the message, when it was accepted and the service said so. It is kept with the message.
    pub called: Option<ServiceId>,
    /// It failed without an answer, so that the message may have arrived: the next attempt says so. Kept with the message, by its [`Mark`], rather than here.
    pub is_unanswered: bool,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The channel took the message.
    Accepted,
    /// It will not take it in this way.
    Refused,
    /// It did not take it, and may later.
    Failed,
    /// It asked to be left alone until then.
    Later(UnixMillis),
}

impl AttemptOutcome {
    /// Stable word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            AttemptOutcome::Accepted => "accepted",
            AttemptOutcome::Refused => "refused",
            AttemptOutcome::Failed => "failed",
            AttemptOutcome::Later(_) => "later",
        }
    }
}

/// What a channel said to an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// What kind of number `code` is.
    pub by: AnsweredBy,
    /// A status of HTTP, a reply of SMTP, an exit code.
    pub code: i32,
    /// The beginning of what came with it, secrets masked; may be empty.
    pub said: String,
}

/// Who answers with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnsweredBy {
    /// A web server, with a status.
    Http,
    /// A mail server, with a reply.
    Smtp,
    /// A program, with its exit code; 128 and the number for one that a signal ended.
    Program,
}

impl AnsweredBy {
    /// Stable word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            AnsweredBy::Http => "http",
            AnsweredBy::Smtp => "smtp",
            AnsweredBy::Program => "exit",
        }
    }
}

/// Which deliveries to read; newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryFilter {
    /// All.
    All,
    /// Those about one incident.
    Incident(IncidentId),
    /// Those to one channel.
    Channel {
        /// Which.
        name: ChannelName,
        /// Only those whose row is before this one: the next page.
        before: Option<i64>,
        /// Only those that were given up.
        dead: bool,
    },
}

/// What is known of a channel by what became of its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelFacts {
    /// Which.
    pub name: ChannelName,
    /// When it last took a message of this node.
    pub accepted_at: Option<UnixMillis>,
    /// When another node last said that it took one.
    pub elsewhere_at: Option<UnixMillis>,
    /// Since when it takes none: the first failed attempt after the last success.
    pub failing_since: Option<UnixMillis>,
    /// Why the last attempt failed; `None` once one was accepted.
    pub reason: Option<String>,
    /// Until when it asked to be left alone.
    pub rests_until: Option<UnixMillis>,
    /// Since when it is marked as not delivering.
    pub broken_since: Option<UnixMillis>,
    /// When it took a message again, while it is still marked.
    pub mended_at: Option<UnixMillis>,
    /// When others were last told that it does not deliver.
    pub told_at: Option<UnixMillis>,
    /// When a message about a monitor was last given up.
    pub given_up_at: Option<UnixMillis>,
    /// Messages that wait.
    pub n_waiting: u64,
    /// Since when the oldest of them is owed that should be there already; `None` also when all of them are held back for now.
    pub oldest: Option<UnixMillis>,
    /// When the next attempt is due.
    pub next_at: Option<UnixMillis>,
    /// Messages in the log that were given up.
    pub n_dead: u64,
    /// When the newest of them was.
    pub dead_at: Option<UnixMillis>,
    /// Of a marked one: messages that were given up since `broken_since`.
    pub n_lost: u64,
    /// Of one that took a message again: messages that were owed then, and come late.
    pub n_late: u64,
}

impl ChannelFacts {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(name: ChannelName) -> ChannelFacts {
        ChannelFacts {
            name,
            accepted_at: None,
            elsewhere_at: None,
            failing_since: None,
            reason: None,
            rests_until: None,
            broken_since: None,
            mended_at: None,
            told_at: None,
            given_up_at: None,
            n_waiting: 0,
            oldest: None,
            next_at: None,
            n_dead: 0,
            dead_at: None,
            n_lost: 0,
            n_late: 0,
        }
    }
}

/// A change of what is marked of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelMark {
    /// It does not deliver since then; whether others are told of it now.
    Broken {
        /// First failed attempt.
        since: UnixMillis,
        /// When others were told; `None`: they are not.
        told_at: Option<UnixMillis>,
    },
    /// Others were told at that time that a message was given up.
    Told(UnixMillis),
    /// It delivers again, and is no longer marked as it was since then.
    Mended(UnixMillis),
}

/// What became of a wish to try a message again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revived {
    /// So many wait again: the one that was asked for, and what was given up after it about the same monitor.
    Waiting(usize),
    /// Something newer about the same monitor has arrived: to say the older thing now would be wrong.
    Outdated,
    /// It was not given up, or is not there (any more).
    NotDead,
}

/// Which incidents to read; newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IncidentFilter {
    /// Only these monitors; `None` means all.
    pub monitors: Option<Vec<MonitorId>>,
    /// Only those that lasted beyond this time.
    pub since: Option<UnixMillis>,
    /// Only those that are over.
    pub is_over: bool,
    /// Only those that stand below this one: where it began, and its id for those that began in the same moment.
    pub before: Option<(UnixMillis, IncidentId)>,
    /// At most so many; 0 means 100.
    pub limit: usize,
}

/// A signed-in session. The token itself is never stored, only its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// SHA-256 of the token.
    pub token_hash: [u8; 32],
    /// Who.
    pub user: String,
    /// What a provider of identities said of them, as JSON; `None` for who signed in here.
    pub said: Option<String>,
    /// Since when.
    pub created_at: UnixMillis,
    /// Last used, to within a minute.
    pub seen_at: UnixMillis,
}

/// What the store keeps how long; mirrors the config's `retention`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreRetention {
    /// Single results.
    pub results: Duration,
    /// 5-minute roll-ups.
    pub rollup_5m: Duration,
    /// 1-hour roll-ups, incidents and verdicts.
    pub rollup_1h: Duration,
    /// Cap of the database file in bytes.
    pub db_bytes_max: u64,
    /// Pings of each heartbeat.
    pub n_pings: u32,
}
