//! What the server wants of the store, as a trait, so that pages can be tested against a store that fails or stalls.

use std::collections::BTreeMap;
use std::pin::Pin;

use crate::http::limits::READ_TIMEOUT;
use crate::model::change::VerdictChange;
use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::incident::Incident;
use crate::model::ping::PingEntry;
use crate::model::result::CheckResult;
use crate::model::rollup::Resolution;
use crate::model::rollup::Rollup;
use crate::model::time::UnixMillis;
use crate::store::ChannelFacts;
use crate::store::CommitError;
use crate::store::Delivery;
use crate::store::DeliveryFilter;
use crate::store::IncidentFilter;
use crate::store::ReadError;
use crate::store::Revived;
use crate::store::SessionRow;
use crate::store::Store;
use crate::store::SubscriberCount;

/// An answer that comes later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Waits for the database, but not for ever.
///
/// # Errors
/// [`ReadError`], when it cannot be read or does not answer.
pub async fn within<T>(read: Later<'_, Result<T, ReadError>>) -> Result<T, ReadError> {
    tokio::time::timeout(READ_TIMEOUT, read).await.unwrap_or_else(|_| Err(ReadError(format!("no answer within {READ_TIMEOUT:?}"))))
}

/// Reads for pages, and the keeping of sessions. Errors are those of the store.
pub trait Archive: Send + Sync {
    /// See [`Store::deliveries`].
    fn deliveries<'a>(&'a self, filter: &'a DeliveryFilter, limit: usize) -> Later<'a, Result<Vec<Delivery>, ReadError>>;
    /// See [`Store::channels`].
    fn channels(&self) -> Later<'_, Result<Vec<ChannelFacts>, ReadError>>;
    /// See [`Store::channel_accepted`].
    fn channel_accepted<'a>(&'a self, name: &'a ChannelName, at: UnixMillis) -> Later<'a, Result<(), CommitError>>;
    /// See [`Store::outbox_revive`].
    fn revive<'a>(&'a self, channel: &'a ChannelName, id: i64, now: UnixMillis) -> Later<'a, Result<Revived, CommitError>>;
    /// See [`Store::outbox_revive_all`].
    fn revive_all<'a>(&'a self, channel: &'a ChannelName, now: UnixMillis) -> Later<'a, Result<usize, CommitError>>;
    /// See [`Store::rollups`]; between two times.
    fn rollups<'a>(
        &'a self,
        monitor: &'a MonitorId,
        resolution: Resolution,
        span: (UnixMillis, UnixMillis),
    ) -> Later<'a, Result<Vec<Rollup>, ReadError>>;
    /// See [`Store::results`]; from the first time (inclusive) to the second (exclusive).
    fn results<'a>(
        &'a self,
        monitor: &'a MonitorId,
        span: (UnixMillis, UnixMillis),
        limit: usize,
    ) -> Later<'a, Result<Vec<CheckResult>, ReadError>>;
    /// See [`Store::verdicts`].
    fn verdicts<'a>(
        &'a self,
        monitors: &'a [MonitorId],
        from: UnixMillis,
        to: UnixMillis,
    ) -> Later<'a, Result<Vec<VerdictChange>, ReadError>>;
    /// See [`Store::incidents`].
    fn incidents<'a>(&'a self, filter: &'a IncidentFilter) -> Later<'a, Result<Vec<Incident>, ReadError>>;
    /// See [`Store::incident`].
    fn incident<'a>(&'a self, id: &'a IncidentId) -> Later<'a, Result<Option<Incident>, ReadError>>;
    /// See [`Store::pings`].
    fn pings<'a>(&'a self, heartbeat: &'a MonitorId, limit: usize) -> Later<'a, Result<Vec<PingEntry>, ReadError>>;
    /// See [`Store::ping`].
    fn ping<'a>(&'a self, heartbeat: &'a MonitorId, number: u64) -> Later<'a, Result<Option<PingEntry>, ReadError>>;
    /// See [`Store::ping_numbers`].
    fn ping_numbers(&self) -> Later<'_, Result<BTreeMap<MonitorId, u64>, ReadError>>;
    /// See [`Store::subscriber_counts`].
    fn subscriber_counts(&self) -> Later<'_, Result<Vec<SubscriberCount>, ReadError>>;
    /// See [`Store::sessions`].
    fn sessions(&self) -> Later<'_, Result<Vec<SessionRow>, ReadError>>;
    /// See [`Store::session_put`].
    fn session_put(&self, row: SessionRow) -> Later<'_, Result<(), CommitError>>;
    /// See [`Store::sessions_delete`].
    fn sessions_delete(&self, keys: Vec<[u8; 32]>) -> Later<'_, Result<(), CommitError>>;
}

impl Archive for Store {
    fn deliveries<'a>(&'a self, filter: &'a DeliveryFilter, limit: usize) -> Later<'a, Result<Vec<Delivery>, ReadError>> {
        Box::pin(Store::deliveries(self, filter, limit))
    }

    fn channels(&self) -> Later<'_, Result<Vec<ChannelFacts>, ReadError>> {
        Box::pin(Store::channels(self))
    }

    fn channel_accepted<'a>(&'a self, name: &'a ChannelName, at: UnixMillis) -> Later<'a, Result<(), CommitError>> {
        Box::pin(Store::channel_accepted(self, name, at))
    }

    fn revive<'a>(&'a self, channel: &'a ChannelName, id: i64, now: UnixMillis) -> Later<'a, Result<Revived, CommitError>> {
        Box::pin(Store::outbox_revive(self, channel, id, now))
    }

    fn revive_all<'a>(&'a self, channel: &'a ChannelName, now: UnixMillis) -> Later<'a, Result<usize, CommitError>> {
        Box::pin(Store::outbox_revive_all(self, channel, now))
    }

    fn rollups<'a>(
        &'a self,
        monitor: &'a MonitorId,
        resolution: Resolution,
        (from, to): (UnixMillis, UnixMillis),
    ) -> Later<'a, Result<Vec<Rollup>, ReadError>> {
        Box::pin(Store::rollups(self, monitor, resolution, from, to))
    }

    fn results<'a>(
        &'a self,
        monitor: &'a MonitorId,
        (from, to): (UnixMillis, UnixMillis),
        limit: usize,
    ) -> Later<'a, Result<Vec<CheckResult>, ReadError>> {
        Box::pin(Store::results(self, monitor, from, to, limit))
    }

    fn verdicts<'a>(
        &'a self,
        monitors: &'a [MonitorId],
        from: UnixMillis,
        to: UnixMillis,
    ) -> Later<'a, Result<Vec<VerdictChange>, ReadError>> {
        Box::pin(Store::verdicts(self, monitors, from, to))
    }

    fn incidents<'a>(&'a self, filter: &'a IncidentFilter) -> Later<'a, Result<Vec<Incident>, ReadError>> {
        Box::pin(Store::incidents(self, filter))
    }

    fn incident<'a>(&'a self, id: &'a IncidentId) -> Later<'a, Result<Option<Incident>, ReadError>> {
        Box::pin(Store::incident(self, id))
    }

    fn pings<'a>(&'a self, heartbeat: &'a MonitorId, limit: usize) -> Later<'a, Result<Vec<PingEntry>, ReadError>> {
        Box::pin(Store::pings(self, heartbeat, limit))
    }

    fn ping<'a>(&'a self, heartbeat: &'a MonitorId, number: u64) -> Later<'a, Result<Option<PingEntry>, ReadError>> {
        Box::pin(Store::ping(self, heartbeat, number))
    }

    fn ping_numbers(&self) -> Later<'_, Result<BTreeMap<MonitorId, u64>, ReadError>> {
        Box::pin(Store::ping_numbers(self))
    }

    fn subscriber_counts(&self) -> Later<'_, Result<Vec<SubscriberCount>, ReadError>> {
        Box::pin(Store::subscriber_counts(self))
    }

    fn sessions(&self) -> Later<'_, Result<Vec<SessionRow>, ReadError>> {
        Box::pin(Store::sessions(self))
    }

    fn session_put(&self, row: SessionRow) -> Later<'_, Result<(), CommitError>> {
        Box::pin(Store::session_put(self, row))
    }

    fn sessions_delete(&self, keys: Vec<[u8; 32]>) -> Later<'_, Result<(), CommitError>> {
        Box::pin(Store::sessions_delete(self, keys))
    }
}
