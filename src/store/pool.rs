//! Connections that only read, used on the threads that may block.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::InterruptHandle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::sync::oneshot;

use crate::store::ReadError;
use crate::store::connection;
use crate::store::error::Trouble;
use crate::store::error::trouble;
use crate::store::shared::Shared;
use crate::store::shared::locked;

/// Readers at once. More would not be faster on the small machines this runs on, and each has its own cache of 1 MiB.
const READERS: usize = 3;

/// Longest query of a page; one that takes longer is stopped, so that a few of them cannot occupy all readers.
pub(super) const QUERY_MAX: Duration = Duration::from_secs(10);

/// How long a query may wait for a thread and for its connection to be opened. Together with [`QUERY_MAX`], once for a free reader and
/// once for the query itself, nobody waits longer than 30 s for a page.
const START_MAX: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug)]
pub(super) struct Pool {
    shared: Arc<Shared>,
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Reader>>>,
}

/// A connection, and which file it was opened on.
#[derive(Debug)]
struct Reader {
    conn: Connection,
    generation: u64,
}

impl Pool {
    pub(super) fn new(shared: Arc<Shared>) -> Pool {
        Pool { shared, permits: Arc::new(Semaphore::new(READERS)), idle: Arc::new(Mutex::new(Vec::new())) }
    }

    /// Runs a query on one snapshot of the database, at most for `time`. Returns in any case: a disk can hang, too.
    pub(super) async fn read<T, F>(&self, time: Duration, query: F) -> Result<T, ReadError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let too_long = || ReadError(format!("it took longer than {} s", time.as_secs()));
        let permit = match tokio::time::timeout(time, self.permits.clone().acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(closed()),
            Err(_) => return Err(too_long()),
        };
        if self.shared.closed.load(Ordering::Relaxed) {
            return Err(closed());
        }
        let (tell, told) = oneshot::channel();
        let visit = Visit { shared: self.shared.clone(), idle: self.idle.clone(), _permit: permit };
        let job = tokio::task::spawn_blocking(move || visit.run(tell, query));
        let start_max = time.min(START_MAX);
        let handle = match tokio::time::timeout(start_max, told).await {
            Ok(Ok(handle)) => Some(handle),
            // It failed before there was anything to interrupt; `job` says why.
            Ok(Err(_)) => None,
            Err(_) => {
                // If it has not begun it never will, and if it hangs it ends as soon as it does not hang any more.
                job.abort();
                return Err(ReadError(format!("it could not begin within {start_max:?}")));
            }
        };
        match tokio::time::timeout(time, job).await {
            Ok(done) => done.unwrap_or_else(|error| Err(ReadError(error.to_string()))),
            Err(_) => {
                if let Some(handle) = handle {
                    handle.interrupt();
                }
                Err(too_long())
            }
        }
    }

    /// No more queries; idle connections are closed, so that the writer's is the last and can put the log away.
    pub(super) fn close(&self) {
        self.permits.close();
        locked(&self.idle).clear();
    }
}

fn closed() -> ReadError {
    ReadError("the store is closed".to_owned())
}

/// One query on its way. The permit goes back when the query has really ended, not when nobody waits for it any more.
struct Visit {
    shared: Arc<Shared>,
    idle: Arc<Mutex<Vec<Reader>>>,
    _permit: OwnedSemaphorePermit,
}

impl Visit {
    fn run<T>(
        self,
        tell: oneshot::Sender<InterruptHandle>,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ReadError> {
        let generation = self.shared.generation.load(Ordering::Relaxed);
        let held = locked(&self.idle).pop().filter(|reader| reader.generation == generation);
        let outcome =
            held.map_or_else(|| connection::reader(&self.shared.path).map(|conn| Reader { conn, generation }), Ok).and_then(|reader| {
                if tell.send(reader.conn.get_interrupt_handle()).is_err() {
                    // Nobody waits any more, and nobody could stop the query.
                    return Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_INTERRUPT), None));
                }
                // Never committed: there is nothing to commit, and its end lets the snapshot go.
                let tx = reader.conn.unchecked_transaction()?;
                let value = query(&tx)?;
                drop(tx);
                Ok((value, reader))
            });
        match outcome {
            Ok((value, reader)) => {
                if !self.shared.closed.load(Ordering::Relaxed) {
                    locked(&self.idle).push(reader);
                }
                Ok(value)
            }
            Err(error) => {
                if trouble(&error) == Trouble::Damaged {
                    self.shared.suspect.store(true, Ordering::Relaxed);
                }
                Err(ReadError(error.to_string()))
            }
        }
    }
}
