//! The only SQL: one SQLite file, one writer thread with group commit, readers apart.

use std::path::Path;
use std::time::Duration;

use crate::clock::Clock;
use crate::model::change::MonitorState;
use crate::model::change::StateChange;
use crate::model::change::VerdictChange;
use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::incident::Incident;
use crate::model::notification::Notification;
use crate::model::result::CheckResult;
use crate::model::result::RecentResults;
use crate::model::rollup::Resolution;
use crate::model::rollup::Rollup;
use crate::model::time::UnixMillis;

/// Handle to the database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store;

/// Why the database cannot be opened. Each is one clear sentence; the program exits with code 3.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("another vigilmon is already running on the state directory {0}; stop it, or give this one its own `instance.state_dir`")]
    InUse(String),
}

/// Why a promised write did not happen.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum CommitError {
    /// The database could not take it (disk full, I/O error). May work later.
    #[error("the database did not take the change: {0}")]
    Failed(String),
    /// The store is shutting down or its queue is full.
    #[error("the store is not accepting changes")]
    Closed,
}

/// Why a read did not work.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("cannot read the database: {0}")]
pub struct ReadError(pub String);

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
    /// The last [`Store::alive`] of the run before; `None` on the first start.
    pub last_alive: Option<UnixMillis>,
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

#[expect(unused_variables, clippy::unused_async, reason = "to be built")]
impl Store {
    /// Opens or creates `vigilmon.db` in `state_dir`: creates the directory (0700), takes the lock, checks and migrates the
    /// database, starts the writer thread. Blocks.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was changed then, except that the directory may have been created.
    pub fn open(state_dir: &Path, clock: Clock) -> Result<(Store, Opened), OpenError> {
        unimplemented!()
    }

    /// What a start needs.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn load(&self) -> Result<Loaded, ReadError> {
        unimplemented!()
    }

    /// Notes a result. Returns at once; written within about a second, in batches, without waiting for the disk (a power cut may
    /// lose the last second of results, never a state change). When the buffer is full the oldest unwritten result is dropped and counted.
    pub fn record(&self, result: CheckResult) {
        unimplemented!()
    }

    /// Makes a change durable: returns after the fsync. Changes that arrive together share one transaction and one fsync; each is all or nothing.
    ///
    /// # Errors
    /// [`CommitError`]; nothing of the change is on disk then.
    pub async fn commit(&self, change: StateChange) -> Result<(), CommitError> {
        unimplemented!()
    }

    /// Notes that the program lives; losing the newest ones is harmless.
    pub fn alive(&self, at: UnixMillis) {
        unimplemented!()
    }

    /// Packs, rolls up, prunes and keeps the size cap. To be called about once a minute. Works in slices so that commits are not held up.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn maintain(&self, now: UnixMillis, retention: StoreRetention) -> Result<(), CommitError> {
        unimplemented!()
    }

    /// Writes what is buffered, checkpoints, ends the writer. Later calls fail with `Closed`.
    pub async fn close(&self) {
        unimplemented!()
    }

    /// Voids all leases; called once at start, because the lock says that no other process can hold one.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn outbox_reset_leases(&self) -> Result<(), CommitError> {
        unimplemented!()
    }

    /// Leases the rows of one channel that are due, oldest first, at most `limit`; of each monitor only the oldest unsent one,
    /// so that a recovery never overtakes its outage.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn outbox_claim(
        &self,
        channel: &ChannelName,
        now: UnixMillis,
        lease: Duration,
        limit: usize,
    ) -> Result<Vec<OutboxRow>, CommitError> {
        unimplemented!()
    }

    /// When the channel's next row is due (a leased one: when its lease ends); `None` when nothing is owed.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn outbox_next_due(&self, channel: &ChannelName) -> Result<Option<UnixMillis>, ReadError> {
        unimplemented!()
    }

    /// Notes that the channel accepted a message. Durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn outbox_sent(&self, id: i64, at: UnixMillis) -> Result<(), CommitError> {
        unimplemented!()
    }

    /// Notes a failed attempt and when to try again. Durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn outbox_retry(&self, id: i64, next_at: UnixMillis, error: &str) -> Result<(), CommitError> {
        unimplemented!()
    }

    /// Gives a message up; it stays visible in the delivery log. Durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn outbox_dead(&self, id: i64, at: UnixMillis, error: &str) -> Result<(), CommitError> {
        unimplemented!()
    }

    /// Channels that are owed something, configured or not, each with the number of waiting rows and the oldest one's time.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn outbox_backlog(&self) -> Result<Vec<(ChannelName, u64, UnixMillis)>, ReadError> {
        unimplemented!()
    }

    /// The newest deliveries, newest first; of one incident, or of all.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn deliveries(&self, incident: Option<&IncidentId>, limit: usize) -> Result<Vec<Delivery>, ReadError> {
        unimplemented!()
    }

    /// Single results, newest first, at most `limit` (1000 at the most), from `from` (inclusive) to `to` (exclusive).
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn results(
        &self,
        monitor: &MonitorId,
        from: UnixMillis,
        to: UnixMillis,
        limit: usize,
    ) -> Result<Vec<CheckResult>, ReadError> {
        unimplemented!()
    }

    /// Roll-ups in time order.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn rollups(
        &self,
        monitor: &MonitorId,
        resolution: Resolution,
        from: UnixMillis,
        to: UnixMillis,
    ) -> Result<Vec<Rollup>, ReadError> {
        unimplemented!()
    }

    /// Verdicts of these monitors that hold anywhere in the stretch, in time order, the one that held at its beginning included.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn verdicts(&self, monitors: &[MonitorId], from: UnixMillis, to: UnixMillis) -> Result<Vec<VerdictChange>, ReadError> {
        unimplemented!()
    }

    /// Incidents, newest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn incidents(&self, filter: &IncidentFilter) -> Result<Vec<Incident>, ReadError> {
        unimplemented!()
    }

    /// One incident.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, ReadError> {
        unimplemented!()
    }

    /// Keeps a session. Durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn session_put(&self, session: SessionRow) -> Result<(), CommitError> {
        unimplemented!()
    }

    /// All sessions; there are few.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn sessions(&self) -> Result<Vec<SessionRow>, ReadError> {
        unimplemented!()
    }

    /// Forgets sessions. Durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn sessions_delete(&self, token_hashes: Vec<[u8; 32]>) -> Result<(), CommitError> {
        unimplemented!()
    }

    /// A named value of the program's own, such as a generated secret.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn value(&self, name: &str) -> Result<Option<String>, ReadError> {
        unimplemented!()
    }

    /// Keeps a named value. Durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn value_put(&self, name: &str, value: &str) -> Result<(), CommitError> {
        unimplemented!()
    }
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
}
