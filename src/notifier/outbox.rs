//! What the notifier needs of the outbox, so that its tests can have one that lives in memory and fails on purpose.

use std::future::Future;
use std::time::Duration;

use crate::model::change::StateChange;
use crate::model::change::StoredFact;
use crate::model::id::ChannelName;
use crate::model::time::UnixMillis;
use crate::store::Attempt;
use crate::store::CommitError;
pub use crate::store::Mark;
use crate::store::OutboxRow;
use crate::store::ReadError;
use crate::store::Store;

/// How long a claimed row is ours. Longer than an attempt may take and its outcome to be written; a crash costs at most this much,
/// and not even that, because a start voids all leases.
pub const LEASE: Duration = Duration::from_secs(30);

/// Messages that are owed. Cheap to share; all writes are durable when they return.
pub trait Outbox: Send + Sync + 'static {
    /// Voids the leases of the process before this one.
    fn reset_leases(&self) -> impl Future<Output = Result<(), CommitError>> + Send;

    /// The same, with peers: a row that the process before this one was about to send waits until then, because it may have been sent
    /// and somebody else may know.
    fn hold_leases(&self, until: UnixMillis) -> impl Future<Output = Result<(), CommitError>> + Send;

    /// Keeps that these messages were sent by others, with the facts that say so, and settles their rows if they are there.
    fn sent_elsewhere(&self, sent: Vec<(String, UnixMillis, Option<StoredFact>)>) -> impl Future<Output = Result<(), CommitError>> + Send;

    /// Keeps facts.
    fn keep(&self, facts: Vec<StoredFact>) -> impl Future<Output = Result<(), CommitError>> + Send;

    /// Leases at most `limit` rows that are due, oldest first; of each monitor only its oldest unsent one. With each comes what waits
    /// behind it, see [`OutboxRow::behind`].
    fn claim(
        &self,
        channel: &ChannelName,
        now: UnixMillis,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<OutboxRow>, CommitError>> + Send;

    /// When the next row is due; `None` when nothing is owed.
    fn next_due(&self, channel: &ChannelName) -> impl Future<Output = Result<Option<UnixMillis>, ReadError>> + Send;

    /// Notes before an attempt which claimed rows (the first of each pair) are told under the key of one behind them (the second): after a crash
    /// that one may have arrived.
    fn tells(&self, pairs: Vec<(i64, i64)>) -> impl Future<Output = Result<(), CommitError>> + Send;

    /// Notes what became of claimed rows and, in the same transaction, the record of the attempt that settled them if there was one: of all of
    /// them or, when that fails, of none.
    fn mark(&self, marks: Vec<(i64, Mark)>, record: Option<&Attempt>) -> impl Future<Output = Result<(), CommitError>> + Send;

    /// Channels that are owed something: how many messages, and when the oldest was decided.
    fn backlog(&self) -> impl Future<Output = Result<Vec<(ChannelName, u64, UnixMillis)>, ReadError>> + Send;
}

impl Outbox for Store {
    async fn reset_leases(&self) -> Result<(), CommitError> {
        self.outbox_reset_leases().await
    }

    async fn hold_leases(&self, until: UnixMillis) -> Result<(), CommitError> {
        self.outbox_hold_leases(until).await
    }

    async fn sent_elsewhere(&self, sent: Vec<(String, UnixMillis, Option<StoredFact>)>) -> Result<(), CommitError> {
        self.outbox_sent_elsewhere(sent).await
    }

    async fn keep(&self, facts: Vec<StoredFact>) -> Result<(), CommitError> {
        self.commit(StateChange { facts, ..StateChange::default() }).await
    }

    async fn claim(&self, channel: &ChannelName, now: UnixMillis, limit: usize) -> Result<Vec<OutboxRow>, CommitError> {
        self.outbox_claim(channel, now, LEASE, limit).await
    }

    async fn next_due(&self, channel: &ChannelName) -> Result<Option<UnixMillis>, ReadError> {
        self.outbox_next_due(channel).await
    }

    async fn tells(&self, pairs: Vec<(i64, i64)>) -> Result<(), CommitError> {
        self.outbox_tells(pairs).await
    }

    async fn mark(&self, marks: Vec<(i64, Mark)>, record: Option<&Attempt>) -> Result<(), CommitError> {
        self.outbox_mark(marks, record).await
    }

    async fn backlog(&self) -> Result<Vec<(ChannelName, u64, UnixMillis)>, ReadError> {
        self.outbox_backlog().await
    }
}
