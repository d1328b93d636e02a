//! The only SQL: one SQLite file, one writer thread with group commit, readers apart.
//!
//! [`Store`] is the handle. Writes go to the thread in `writer` as pieces of work and are answered after their commit; reads go to
//! the connections in `pool`. `schema` has the tables, `rescue` opens whatever is there, `history` is about results and sums,
//! `change` about states, verdicts and incidents, `outbox` about messages. Nothing here decides what is down or who is told.

mod attempt;
mod change;
mod channel;
mod checkpoint;
mod connection;
mod desk;
mod error;
mod fact;
mod files;
mod history;
mod keep;
mod load;
mod maintain;
mod merge;
mod ongoing;
mod outbox;
mod ping;
mod pool;
mod recover;
mod rescue;
mod retired;
mod row;
mod rows;
mod schema;
mod shared;
mod subscriber;
mod types;
mod work;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::TrySendError;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::model::change::StateChange;
use crate::model::change::StoredFact;
use crate::model::change::VerdictChange;
use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::id::NodeName;
use crate::model::id::PageSlug;
use crate::model::incident::Incident;
use crate::model::notification::Notification;
use crate::model::ping::PingEntry;
use crate::model::result::CheckResult;
use crate::model::rollup::Resolution;
use crate::model::rollup::Rollup;
use crate::model::subscription::SharedRow;
use crate::model::subscription::Subscriber;
use crate::model::subscription::SubscriberWay;
use crate::model::time::UnixMillis;
use crate::store::desk::Desk;
pub use crate::store::error::CommitError;
pub use crate::store::error::OpenError;
pub use crate::store::error::ReadError;
pub use crate::store::merge::History;
pub use crate::store::ongoing::Ongoing;
use crate::store::pool::Pool;
use crate::store::pool::QUERY_MAX;
use crate::store::shared::Shared;
pub use crate::store::shared::StoreNotice;
use crate::store::shared::locked;
pub use crate::store::subscriber::Errand;
pub use crate::store::subscriber::ErrandMark;
pub use crate::store::subscriber::First;
pub use crate::store::subscriber::Homes;
pub use crate::store::subscriber::NEWS_GOOD_FOR;
pub use crate::store::subscriber::NewsRow;
pub use crate::store::subscriber::ORPHANS_KEPT_FOR;
pub use crate::store::subscriber::SUBSCRIBER_LEASE;
pub use crate::store::subscriber::SignUp;
pub use crate::store::subscriber::SignUpLimits;
pub use crate::store::subscriber::SignedUp;
pub use crate::store::subscriber::SubscriberCount;
pub use crate::store::subscriber::UNCONFIRMED_KEPT_FOR;
pub use crate::store::subscriber::share::GONE_KEPT_FOR;
pub use crate::store::subscriber::share::SHARED_ROWS_MAX;
pub use crate::store::subscriber::share::SHARED_TOLD_MAX;
pub use crate::store::subscriber::share::SharedPart;
pub use crate::store::types::Answered;
pub use crate::store::types::AnsweredBy;
pub use crate::store::types::Attempt;
pub use crate::store::types::AttemptOutcome;
pub use crate::store::types::ChannelFacts;
pub use crate::store::types::ChannelMark;
pub use crate::store::types::Delivery;
pub use crate::store::types::DeliveryFilter;
pub use crate::store::types::DeliveryState;
pub use crate::store::types::IncidentFilter;
pub use crate::store::types::Loaded;
pub use crate::store::types::Mark;
pub use crate::store::types::OpenOptions;
pub use crate::store::types::Opened;
pub use crate::store::types::OutboxRow;
pub use crate::store::types::Revived;
pub use crate::store::types::SessionRow;
pub use crate::store::types::StoreRetention;
use crate::store::work::Duty;
use crate::store::work::Message;
use crate::store::work::Task;
use crate::store::writer::Writer;

/// Messages that wait for the writer at most; more means that it does not get on, and waiting would only hide that.
const QUEUE_MAX: usize = 8192;

/// How long closing waits for the disk.
const CLOSE_MAX: Duration = Duration::from_secs(10);

/// Closing looks for a place in a full queue this often.
const CLOSE_AGAIN: Duration = Duration::from_millis(20);

/// Handle to the database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    pool: Pool,
    progress: tokio::sync::Mutex<maintain::Progress>,
    /// `None` once the last handle is going.
    queue: Option<SyncSender<Message>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Nothing more is taken.
    is_closing: AtomicBool,
    /// The writer was waited for in vain.
    is_given_up: AtomicBool,
}

impl Drop for Inner {
    /// Without [`Store::close`] the thread still writes what waits, and lets the lock go; waited for, so that the next one who
    /// opens the directory does not find it locked; but not for ever, because a disk can hang.
    fn drop(&mut self) {
        self.pool.close();
        self.queue = None;
        let Some(thread) = locked(&self.thread).take() else { return };
        let n_looks = if self.is_given_up.load(Ordering::Relaxed) { 0 } else { CLOSE_MAX.as_millis() };
        for _ in 0..n_looks {
            if thread.is_finished() {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        if thread.is_finished() {
            let _ = thread.join();
        } else {
            tracing::error!("the thread that writes the database hangs and is left behind");
        }
    }
}

impl Store {
    /// Opens or creates `vigilmon.db` in `state_dir`: creates the directory (0700), takes the lock, checks and migrates the
    /// database, starts the writer thread. Blocks.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was changed then, except that the directory may have been created.
    pub fn open(state_dir: &Path, clock: Clock) -> Result<(Store, Opened), OpenError> {
        Store::open_with(state_dir, clock, OpenOptions::default())
    }

    /// As [`Store::open`], with options.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with(state_dir: &Path, clock: Clock, options: OpenOptions) -> Result<(Store, Opened), OpenError> {
        check_version(rusqlite::version_number())?;
        files::make_dir(state_dir)?;
        if let Some(kind) = files::network_kind(state_dir).filter(|_| !options.allow_network_fs) {
            return Err(OpenError::NetworkFileSystem { path: state_dir.display().to_string(), kind });
        }
        let lock = files::lock(state_dir)?;
        let (conn, opened) = rescue::open_or_set_aside(state_dir, &clock)?;
        files::make_reserve(state_dir);
        let path = state_dir.join(files::DB);
        let shared = Arc::new(Shared::new(state_dir.to_owned(), path.clone(), clock));
        let writer = Writer::new(shared.clone(), Desk::new(conn), lock);
        let (queue, messages) = sync_channel(QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(&messages))
            .map_err(|error| OpenError::failed(path, &error))?;
        let inner = Inner {
            pool: Pool::new(shared.clone()),
            shared,
            progress: tokio::sync::Mutex::default(),
            queue: Some(queue),
            thread: Mutex::new(Some(thread)),
            is_closing: AtomicBool::new(false),
            is_given_up: AtomicBool::new(false),
        };
        Ok((Store { inner: Arc::new(inner) }, opened))
    }

    /// What a start needs. Epochs are never behind the incidents that are kept, even when states were lost; an open incident whose
    /// epoch is not the one of its monitor's lane is an orphan of such a loss.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn load(&self) -> Result<Loaded, ReadError> {
        let now = self.inner.shared.clock.now().wall;
        match self.read(move |conn| load::load(conn, now)).await {
            // Damage that only showed now: the writer sets the file aside and carries over what can be read.
            Err(_) if self.inner.shared.suspect.load(Ordering::Relaxed) => {
                self.flush().await.map_err(|error| ReadError(error.to_string()))?;
                self.read(move |conn| load::load(conn, now)).await
            }
            other => other,
        }
    }

    /// Notes a result. Returns at once; written within about a second, in batches, without waiting for the disk (a power cut may
    /// lose the last second of results, never a state change). When the buffer is full the oldest unwritten result is dropped and counted.
    pub fn record(&self, result: CheckResult) {
        self.inner.shared.record(result);
    }

    /// Makes a change durable: returns after the fsync. Changes that arrive together share one transaction and one fsync; each is all or nothing.
    ///
    /// # Errors
    /// [`CommitError`]; nothing of the change is on disk then.
    pub async fn commit(&self, change: StateChange) -> Result<(), CommitError> {
        let n_pings = self.inner.shared.n_pings();
        self.write(Duty::Promised, move |desk| change::write(desk, &change, n_pings)).await
    }

    /// Makes entries of the log of pings durable: returns after the fsync. Those that nobody waits for any more when their turn comes are
    /// left out. Says of each whether it is there.
    ///
    /// # Errors
    /// [`CommitError`]; nothing of it is on disk then.
    pub async fn keep_pings(&self, entries: Arc<[(PingEntry, Arc<AtomicBool>)]>) -> Result<Vec<bool>, CommitError> {
        let n_pings = self.inner.shared.n_pings();
        self.write(Duty::Promised, move |desk| {
            let wanted: Vec<bool> = entries.iter().map(|(_, given_up)| !given_up.load(Ordering::Relaxed)).collect();
            let kept = entries.iter().zip(&wanted).filter(|(_, is_wanted)| **is_wanted).map(|((entry, _), _)| entry);
            ping::put(desk, kept, n_pings)?;
            Ok(wanted)
        })
        .await
    }

    /// From now on so many pings of each heartbeat are kept.
    pub fn set_n_pings(&self, n_pings: u32) {
        self.inner.shared.set_n_pings(n_pings);
    }

    /// The newest pings of a heartbeat, newest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn pings(&self, heartbeat: &MonitorId, limit: usize) -> Result<Vec<PingEntry>, ReadError> {
        let heartbeat = heartbeat.clone();
        self.read(move |conn| ping::newest(conn, &heartbeat, limit)).await
    }

    /// How many pings each heartbeat has had, those counted that are not kept any more; heartbeats without any are left out.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn ping_numbers(&self) -> Result<BTreeMap<MonitorId, u64>, ReadError> {
        self.read(ping::numbers).await
    }

    /// One ping of a heartbeat.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn ping(&self, heartbeat: &MonitorId, number: u64) -> Result<Option<PingEntry>, ReadError> {
        let heartbeat = heartbeat.clone();
        self.read(move |conn| ping::one(conn, &heartbeat, number)).await
    }

    /// Notes that the program lives; losing the newest ones is harmless.
    pub fn alive(&self, at: UnixMillis) {
        self.inner.shared.tick(at);
    }

    /// Packs, rolls up, prunes and keeps the size cap. To be called about once a minute. Works in slices so that commits are not held up.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn maintain(&self, now: UnixMillis, retention: StoreRetention) -> Result<(), CommitError> {
        self.run_maintenance(now, retention).await
    }

    /// Writes what is buffered, checkpoints, ends the writer. Later calls fail with `Closed`. A disk that hangs is waited for
    /// 10 seconds and no longer: the program must be able to end, and what was acknowledged is on the disk anyway.
    pub async fn close(&self) {
        // From here on nobody can fill the place that the writer makes in a full queue.
        self.inner.is_closing.store(true, Ordering::Relaxed);
        self.inner.pool.close();
        let closing = async {
            // The answer does not matter: `ended` says more.
            while self.send(Message::Close(oneshot::channel().0)) == Err(CommitError::Busy) {
                tokio::time::sleep(CLOSE_AGAIN).await;
            }
            self.inner.shared.ended.cancelled().await;
        };
        if tokio::time::timeout(CLOSE_MAX, closing).await.is_err() {
            tracing::error!(
                "the database could not be closed within {CLOSE_MAX:?}, the disk does not answer; what was not written is lost"
            );
            self.inner.is_given_up.store(true, Ordering::Relaxed);
        }
    }

    /// Waits until everything recorded before this call was handed to the database. Not a promise that it is on the disk.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn flush(&self) -> Result<(), CommitError> {
        self.write(Duty::Unpromised, |_| Ok(())).await
    }

    /// What operators should hear about the store itself; each notice is given out once.
    #[must_use]
    pub fn take_notices(&self) -> Vec<StoreNotice> {
        self.inner.shared.take_notices()
    }

    /// Results that were dropped unwritten since the start, because the database did not take them for long.
    #[must_use]
    pub fn n_results_dropped(&self) -> u64 {
        self.inner.shared.n_dropped()
    }

    /// Returns when the writer has ended: after [`Store::close`], or because of a bug, in which case the program should end, too.
    pub async fn writer_ended(&self) {
        self.inner.shared.ended.cancelled().await;
    }

    /// Hands a piece of work to the writer and waits for its commit.
    async fn write<T, F>(&self, duty: Duty, run: F) -> Result<T, CommitError>
    where
        T: Send + 'static,
        F: FnMut(&mut Desk) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        if self.inner.is_closing.load(Ordering::Relaxed) {
            return Err(CommitError::Closed);
        }
        self.send(Message::Work(Box::new(Task { duty, run, value: None, reply })))?;
        answer.await.unwrap_or(Err(CommitError::Closed))
    }

    fn send(&self, message: Message) -> Result<(), CommitError> {
        let Some(queue) = self.inner.queue.as_ref().filter(|_| !self.inner.shared.closed.load(Ordering::Relaxed)) else {
            return Err(CommitError::Closed);
        };
        queue.try_send(message).map_err(|error| match error {
            TrySendError::Full(_) => CommitError::Busy,
            TrySendError::Disconnected(_) => CommitError::Closed,
        })
    }

    async fn read<T, F>(&self, query: F) -> Result<T, ReadError>
    where
        T: Send + 'static,
        F: FnOnce(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.inner.pool.read(QUERY_MAX, query).await
    }

    /// Voids all leases; called once at start, because the lock says that no other process can hold one.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn outbox_reset_leases(&self) -> Result<(), CommitError> {
        self.write(Duty::Promised, |desk| outbox::reset_leases(desk)).await
    }

    /// The same, but rows that were leased become due at `until`: with peers somebody else may know that they were sent.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn outbox_hold_leases(&self, until: UnixMillis) -> Result<(), CommitError> {
        self.write(Duty::Promised, move |desk| outbox::hold_leases(desk, until)).await
    }

    /// Keeps that other nodes sent these messages, whether they are owed here or not (yet).
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn outbox_sent_elsewhere(&self, sent: Vec<(String, UnixMillis, Option<StoredFact>)>) -> Result<(), CommitError> {
        self.write(Duty::Promised, move |desk| {
            for (key, at, fact) in &sent {
                outbox::elsewhere_by_key(desk, key, *at)?;
                fact.iter().try_for_each(|fact| fact::put(desk, fact))?;
            }
            Ok(())
        })
        .await
    }

    /// Leases the rows of one channel that are due, oldest first, at most `limit`; of each monitor only the oldest unsent one,
    /// so that a recovery never overtakes its outage. With each comes what waits behind it.
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
        let claim = outbox::Claim { channel: channel.clone(), now, lease, limit };
        // Not promised: a lease that a crash takes is void at the next start anyway.
        self.write(Duty::Unpromised, move |desk| outbox::claim(desk, &claim)).await
    }

    /// When the channel's next row is due (a leased one: when its lease ends); `None` when nothing is owed.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn outbox_next_due(&self, channel: &ChannelName) -> Result<Option<UnixMillis>, ReadError> {
        let channel = channel.clone();
        self.read(move |conn| outbox::next_due(conn, &channel)).await
    }

    /// Notes before an attempt which claimed rows (the first of each pair) are told under the key of one behind them (the second), so that
    /// after a crash it is known which message may have arrived.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn outbox_tells(&self, pairs: Vec<(i64, i64)>) -> Result<(), CommitError> {
        self.write(Duty::Unpromised, move |desk| outbox::tells(desk, &pairs)).await
    }

    /// Notes what became of claimed rows, and the attempt that settled them if there was one: of all of them or of none. Durable, unless
    /// nothing was tried.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn outbox_mark(&self, marks: Vec<(i64, Mark)>, attempt: Option<&Attempt>) -> Result<(), CommitError> {
        let only_wait = marks.iter().all(|(_, mark)| matches!(mark, Mark::Waits { .. }));
        let duty = if only_wait { Duty::Unpromised } else { Duty::Promised };
        let attempt = attempt.cloned();
        self.write(duty, move |desk| marks.iter().try_for_each(|(id, mark)| outbox::mark(desk, *id, mark, attempt.as_ref()))).await
    }

    /// Channels that are owed something, configured or not, each with the number of waiting rows and the oldest one's time.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn outbox_backlog(&self) -> Result<Vec<(ChannelName, u64, UnixMillis)>, ReadError> {
        self.read(outbox::backlog).await
    }

    /// What a channel was told last of the incidents that are open.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn ongoing(&self, channel: &ChannelName) -> Result<Vec<Ongoing>, ReadError> {
        let channel = channel.clone();
        self.read(move |conn| ongoing::ongoing(conn, &channel)).await
    }

    /// Deliveries with their attempts, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn deliveries(&self, filter: &DeliveryFilter, limit: usize) -> Result<Vec<Delivery>, ReadError> {
        let filter = filter.clone();
        self.read(move |conn| outbox::deliveries(conn, &filter, limit)).await
    }

    /// What is known of every channel that ever was owed something, configured or not.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn channels(&self) -> Result<Vec<ChannelFacts>, ReadError> {
        self.read(channel::all).await
    }

    /// Marks a channel, and owes the messages that tell of it; neither, when the channel is no longer as it was when this was decided.
    /// Durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn channel_mark(&self, name: &ChannelName, mark: ChannelMark, tell: Vec<Notification>) -> Result<bool, CommitError> {
        let name = name.clone();
        self.write(Duty::Promised, move |desk| channel::mark(desk, &name, mark, &tell)).await
    }

    /// Notes what became of a test message; a refused one says nothing of the others. Durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn channel_accepted(&self, name: &ChannelName, at: UnixMillis) -> Result<(), CommitError> {
        let name = name.clone();
        self.write(Duty::Promised, move |desk| channel::note_accepted(desk, name.as_str(), at)).await
    }

    /// Lets a message that was given up wait again, under its key, with what was given up after it about the same monitor. Durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn outbox_revive(&self, channel: &ChannelName, id: i64, now: UnixMillis) -> Result<Revived, CommitError> {
        let channel = channel.clone();
        self.write(Duty::Promised, move |desk| outbox::revive(desk, &channel, id, now)).await
    }

    /// The same with all of a channel; what is outdated stays given up. Says how many wait again. Durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn outbox_revive_all(&self, channel: &ChannelName, now: UnixMillis) -> Result<usize, CommitError> {
        let channel = channel.clone();
        self.write(Duty::Promised, move |desk| outbox::revive_all(desk, &channel, now)).await
    }

    /// Single results, newest first, at most `limit` (1000 at the most), from `from` (inclusive) to `to` (exclusive).
    /// Those of the last second may still be on their way.
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
        let monitor = monitor.clone();
        self.read(move |conn| history::read::results(conn, &monitor, (from, to), limit)).await
    }

    /// Roll-ups of the stretches that overlap the time from `from` to `to`, in time order, the one that is still going on included.
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
        let monitor = monitor.clone();
        self.read(move |conn| history::read::rollups(conn, &monitor, resolution, (from, to))).await
    }

    /// Verdicts of these monitors that hold anywhere in the stretch, in time order, the one that held at its beginning included.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn verdicts(&self, monitors: &[MonitorId], from: UnixMillis, to: UnixMillis) -> Result<Vec<VerdictChange>, ReadError> {
        let monitors = monitors.to_vec();
        self.read(move |conn| change::verdicts(conn, &monitors, from, to)).await
    }

    /// Incidents, newest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn incidents(&self, filter: &IncidentFilter) -> Result<Vec<Incident>, ReadError> {
        let filter = filter.clone();
        self.read(move |conn| change::incidents(conn, &filter)).await
    }

    /// Takes in what a peer kept: incidents that are missing here, and verdicts of times of which nothing is known here.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn merge_history(&self, history: History) -> Result<(), CommitError> {
        self.write(Duty::Promised, move |desk| merge::merge(desk, &history)).await
    }

    /// One incident.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, ReadError> {
        let id = id.clone();
        self.read(move |conn| change::incident(conn, &id)).await
    }

    /// Somebody signs up at a page. Durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn subscriber_sign_up(&self, new: SignUp) -> Result<SignedUp, CommitError> {
        self.write(Duty::Promised, move |desk| subscriber::sign_up(desk, &new)).await
    }

    /// The subscriber with this name.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn subscriber(&self, name: &str) -> Result<Option<Subscriber>, ReadError> {
        let name = name.to_owned();
        self.read(move |conn| subscriber::by_name(conn, &name)).await
    }

    /// All subscribers, by page and address.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn subscribers(&self) -> Result<Vec<Subscriber>, ReadError> {
        self.read(subscriber::all).await
    }

    /// How many subscribers each page has that has any.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn subscriber_counts(&self) -> Result<Vec<SubscriberCount>, ReadError> {
        self.read(subscriber::counts).await
    }

    /// Who has this name is told from now on. Says whether there is such a subscriber. Durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn subscriber_confirm(&self, name: &str, at: UnixMillis) -> Result<bool, CommitError> {
        let name = name.to_owned();
        self.write(Duty::Promised, move |desk| subscriber::confirm(desk, &name, at)).await
    }

    /// Forgets who has this name, on all nodes. Says whether there was somebody. Durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn subscriber_remove(&self, name: &str, at: UnixMillis) -> Result<bool, CommitError> {
        let name = name.to_owned();
        self.write(Duty::Promised, move |desk| subscriber::remove(desk, &name, at)).await
    }

    /// Forgets an address, of one page or of all, on all nodes. Says how often it was there. Durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn subscriber_forget(&self, address: &str, page: Option<&PageSlug>, at: UnixMillis) -> Result<usize, CommitError> {
        let (address, page) = (address.to_owned(), page.map(|page| page.as_str().to_owned()));
        self.write(Duty::Promised, move |desk| subscriber::forget(desk, &address, page.as_deref(), at)).await
    }

    /// What other nodes have to hear of subscribers, after the change with this number.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn subscribers_since(&self, after: i64, now: UnixMillis) -> Result<SharedPart, ReadError> {
        self.read(move |conn| subscriber::share::since(conn, after, now)).await
    }

    /// Takes in what another node said of subscribers, and names of those who left, with when. Says how much of it was news. Durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn subscribers_merge(
        &self,
        rows: Vec<SharedRow>,
        gone: Vec<(String, UnixMillis)>,
        now: UnixMillis,
    ) -> Result<usize, CommitError> {
        self.write(Duty::Promised, move |desk| subscriber::share::merge(desk, &rows, &gone, now)).await
    }

    /// Subscribers from before there were peers are this node's from now on. Says how many there were. Durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn subscribers_adopt(&self, me: &NodeName) -> Result<usize, CommitError> {
        let me = me.clone();
        self.write(Duty::Promised, move |desk| subscriber::share::adopt(desk, &me)).await
    }

    /// Nodes at which those signed up who are known here.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn subscriber_homes(&self) -> Result<Vec<String>, ReadError> {
        self.read(subscriber::share::homes).await
    }

    /// Grows when another file takes the place of the database: what was counted before counts no more.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.inner.shared.generation.load(Ordering::Relaxed)
    }

    /// Notes what a page says, as far as it has not said it before. Says how much of it is new. Durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn page_news_add(&self, page: &PageSlug, news: Vec<NewsRow>, now: UnixMillis) -> Result<usize, CommitError> {
        let page = page.as_str().to_owned();
        self.write(Duty::Promised, move |desk| subscriber::news_add(desk, &page, &news, now)).await
    }

    /// Keys of what a page has said lately and has not taken back, as far as is known.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn page_news_standing(&self, page: &PageSlug, now: UnixMillis) -> Result<Vec<String>, ReadError> {
        let page = page.as_str().to_owned();
        self.read(move |conn| subscriber::news_standing(conn, &page, now)).await
    }

    /// A page does not say this any more, so whoever has not been told is not told. Durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn page_news_withdraw(&self, page: &PageSlug, keys: Vec<String>) -> Result<(), CommitError> {
        let page = page.as_str().to_owned();
        self.write(Duty::Promised, move |desk| subscriber::news_withdraw(desk, &page, &keys)).await
    }

    /// Whether something is owed now to subscribers of a page who signed up at these nodes.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn subscriber_is_due(&self, page: &PageSlug, way: SubscriberWay, homes: &Homes, now: UnixMillis) -> Result<bool, ReadError> {
        let (page, homes) = (page.as_str().to_owned(), homes.clone());
        self.read(move |conn| subscriber::is_due(conn, subscriber::Line { page: &page, way, homes: &homes }, now)).await
    }

    /// What is owed next to a subscriber of a page who signed up at one of these nodes, claimed by the caller for [`SUBSCRIBER_LEASE`]; `None`: nothing, for now. Whether
    /// something is left shows [`Store::subscriber_is_due`]. Durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn subscriber_claim(
        &self,
        (page, way): (&PageSlug, SubscriberWay),
        homes: &Homes,
        first: First,
        now: UnixMillis,
    ) -> Result<Option<Errand>, CommitError> {
        let (page, homes) = (page.as_str().to_owned(), homes.clone());
        self.write(Duty::Promised, move |desk| {
            let line = subscriber::Line { page: &page, way, homes: &homes };
            subscriber::claim(desk, line, first, now)
        })
        .await
    }

    /// Notes what became of what was claimed. Durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn subscriber_finish(&self, name: &str, mark: ErrandMark) -> Result<(), CommitError> {
        let name = name.to_owned();
        self.write(Duty::Promised, move |desk| subscriber::finish(desk, &name, mark)).await
    }

    /// Forgets subscribers who did not confirm, those of pages and ways that are gone for long, and what was said long ago. Says how
    /// many subscribers that were. Durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn subscribers_tidy(&self, offering: Vec<(PageSlug, SubscriberWay)>, now: UnixMillis) -> Result<usize, CommitError> {
        self.write(Duty::Promised, move |desk| subscriber::tidy(desk, &offering, now)).await
    }

    /// Keeps a session. Durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn session_put(&self, session: SessionRow) -> Result<(), CommitError> {
        self.write(Duty::Promised, move |desk| keep::session_put(desk, &session)).await
    }

    /// All sessions; there are few.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn sessions(&self) -> Result<Vec<SessionRow>, ReadError> {
        self.read(keep::sessions).await
    }

    /// Forgets sessions. Durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn sessions_delete(&self, token_hashes: Vec<[u8; 32]>) -> Result<(), CommitError> {
        self.write(Duty::Promised, move |desk| keep::sessions_delete(desk, &token_hashes)).await
    }

    /// A named value of the program's own, such as a generated secret.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn value(&self, name: &str) -> Result<Option<String>, ReadError> {
        let name = name.to_owned();
        self.read(move |conn| keep::value(conn, &name)).await
    }

    /// Keeps a named value. Durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn value_put(&self, name: &str, value: &str) -> Result<(), CommitError> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.write(Duty::Promised, move |desk| keep::value_put(desk, &name, &value)).await
    }
}

/// Before 3.51.3 a reset of the log could lose a commit, and 3.52.0 was withdrawn.
fn check_version(number: i32) -> Result<(), OpenError> {
    let is_good = 3_051_003 <= number && number != 3_052_000;
    let name = format!("{}.{}.{}", number / 1_000_000, number / 1000 % 1000, number % 1000);
    if is_good { Ok(()) } else { Err(OpenError::BadSqlite(name)) }
}
