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

    /// Runs a query on one snapshot of the database, at most for `time`.
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
        let mut job = tokio::task::spawn_blocking(move || visit.run(tell, query));
        match tokio::time::timeout(time, &mut job).await {
            Ok(done) => done.unwrap_or_else(|error| Err(ReadError(error.to_string()))),
            Err(_) => {
                if let Ok(handle) = told.await {
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
                let _ = tell.send(reader.conn.get_interrupt_handle());
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
