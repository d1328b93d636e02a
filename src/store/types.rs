//! What the store takes and gives back, besides the nouns of the model.

use std::time::Duration;

use crate::model::change::MonitorState;
use crate::model::change::StoredFact;
use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::incident::Incident;
use crate::model::notification::Notification;
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
    /// What to say.
    pub notification: Notification,
    /// It ends an incident of which the beginning was given up.
    pub is_opening_lost: bool,
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
    },
}

/// What became of a notification; for the delivery log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its key.
    pub key: String,
    /// To whom.
    pub channel: ChannelName,
    /// The word of its event.
    pub event: String,
    /// Which incident; `None` for notices about vigilmon itself.
    pub incident: Option<IncidentId>,
    /// When it was decided.
    pub at: UnixMillis,
    /// How many attempts were made.
    pub n_attempts: u32,
    /// Where it stands.
    pub state: DeliveryState,
    /// What went wrong last, secrets masked.
    pub last_error: Option<String>,
}

/// Where a notification stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// Waiting; next attempt then.
    Waiting(UnixMillis),
    /// Accepted then.
    Sent(UnixMillis),
    /// Given up then.
    Dead(UnixMillis),
}

/// Which incidents to read; newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IncidentFilter {
    /// Only these monitors; `None` means all.
    pub monitors: Option<Vec<MonitorId>>,
    /// Only those that lasted beyond this time.
    pub since: Option<UnixMillis>,
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
