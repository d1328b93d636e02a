//! Pings on their way: what the server hands to the engine, and the keeper that makes them durable before anything follows from them.
//!
//! A ping goes twice through the engine. First it is dated and it is worked out what it means; nothing is concluded from silence of its
//! heartbeat from then on. Then it is written into the log, together with whatever else arrived meanwhile. Only when it is on the disk
//! does it count and is it answered. One that cannot be written never happened: its sender is told to try again.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::oneshot;

use crate::engine::event::Event;
use crate::engine::event::RequestId;
use crate::model::heartbeat::RunId;
use crate::model::id::MonitorId;
use crate::model::ping::Arrival;
use crate::model::ping::PingEntry;
use crate::rules::heartbeat::Said;
use crate::store::CommitError;
use crate::store::Store;

/// Pings that may wait for the engine or for the disk: one for every connection that the server takes, so that none is turned away while
/// the disk gets on.
pub const PINGS_MAX: usize = 4096;

/// Pings that are written together: one transaction of a few megabytes at most with bodies of usual length.
const BATCH_MAX: usize = 512;

/// A ping as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// For which heartbeat.
    pub heartbeat: MonitorId,
    /// What its address says.
    pub said: Said,
    /// Of which run.
    pub run: Option<RunId>,
    /// How long the run took, when the request says so itself.
    pub took: Option<Duration>,
    /// How it came.
    pub arrival: Arrival,
    /// What is kept of its body.
    pub body: Vec<u8>,
    /// How long its body was.
    pub body_bytes: u64,
}

/// A ping, with a slot for the answer, which comes after it is durable.
#[derive(Debug)]
pub struct PingRequest {
    /// What came.
    pub arrived: Box<Arrived>,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<(), NotTaken>>,
    /// Raised when the sender was told to try again: what was not written by then must not be written any more.
    pub given_up: Arc<AtomicBool>,
}

/// Why a ping was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// There is no such heartbeat (any more).
    #[error("there is no such heartbeat")]
    Gone,
    /// It could not be made durable; the same ping may work later.
    #[error("the ping could not be stored")]
    NotStored,
    /// Too many wait.
    #[error("too many pings wait")]
    Busy,
    /// The engine is stopping.
    #[error("vigilmon is stopping")]
    Stopping,
}

/// An entry that is to be durable.
#[derive(Debug)]
pub struct Keep {
    /// Names the ping in the event that follows.
    pub request: RequestId,
    /// What is kept.
    pub entry: Box<PingEntry>,
    /// See [`PingRequest::given_up`].
    pub given_up: Arc<AtomicBool>,
}

/// An entry, and whether its sender was told to try again.
pub type Kept = (PingEntry, Arc<AtomicBool>);

/// Where entries become durable; the store, or a test.
pub trait PingLog: Send + Sync + 'static {
    /// Makes entries durable but for those that were given up; says of each whether it is kept.
    fn keep(&self, entries: Arc<[Kept]>) -> impl Future<Output = Result<Vec<bool>, CommitError>> + Send;
}

impl PingLog for Store {
    fn keep(&self, entries: Arc<[Kept]>) -> impl Future<Output = Result<Vec<bool>, CommitError>> + Send {
        self.keep_pings(entries)
    }
}

/// Runs until the engine has ended. What gathers while something is being written is written together. Nothing is tried twice: whoever
/// sent a ping that could not be written is told so, and tries again.
pub async fn run(mut jobs: mpsc::Receiver<Keep>, log: impl PingLog, events: mpsc::Sender<Event>) {
    let mut batch = Vec::new();
    while jobs.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let entry = |keep: Keep| (keep.request, (*keep.entry, keep.given_up));
        let (requests, entries): (Vec<RequestId>, Vec<Kept>) = batch.drain(..).map(entry).unzip();
        let entries: Arc<[Kept]> = entries.into();
        let kept = match log.keep(Arc::clone(&entries)).await {
            Ok(kept) => requests.into_iter().zip(kept).collect(),
            // One of them is at fault, and the others must not be lost with it.
            Err(CommitError::Refused(_)) if entries.len() > 1 => one_by_one(&log, &requests, &entries).await,
            Err(error) => {
                tracing::error!(%error, n_pings = requests.len(), "pings are refused, because they cannot be stored: {error}");
                requests.into_iter().map(|request| (request, false)).collect()
            }
        };
        if events.send(Event::PingsKept(kept)).await.is_err() {
            return;
        }
    }
}

async fn one_by_one(log: &impl PingLog, requests: &[RequestId], entries: &[Kept]) -> Vec<(RequestId, bool)> {
    let mut kept = Vec::with_capacity(requests.len());
    for (request, entry) in requests.iter().zip(entries) {
        let outcome = log.keep(Arc::from([entry.clone()])).await;
        if let Err(error) = &outcome {
            let heartbeat = &entry.0.heartbeat;
            tracing::error!(%error, %heartbeat, "a ping of `{heartbeat}` is refused: {error}");
        }
        kept.push((*request, outcome.is_ok_and(|kept| kept == [true])));
    }
    kept
}
