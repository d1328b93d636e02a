//! Moving the log into the database, on a thread of its own: it ends with an fsync of scattered pages, which takes hundreds of
//! milliseconds on a slow disk, and commits go on meanwhile.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use rusqlite::Connection;

use crate::store::connection;
use crate::store::error::Trouble;
use crate::store::error::trouble;
use crate::store::shared::Shared;

/// How much of the log is moved, and who waits for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// As much as is possible without waiting for anybody.
    Passive,
    /// Everything, after which the log is empty; waits for readers.
    Truncate,
}

/// Moves the log into the database; says whether nobody was in the way.
pub(super) fn checkpoint(conn: &Connection, mode: Mode) -> rusqlite::Result<bool> {
    let sql = match mode {
        Mode::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
        Mode::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map(|busy| busy == 0)
}

/// The thread, and how to wake it.
pub(super) struct Checkpointer {
    wake: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Checkpointer {
    /// Starts the thread; `None` when there is no room for one, and the writer does it all.
    pub(super) fn start(shared: Arc<Shared>) -> Option<Checkpointer> {
        let (wake, woken) = sync_channel::<()>(1);
        let thread = std::thread::Builder::new().name("store-checkpoint".to_owned()).spawn(move || {
            while woken.recv().is_ok() {
                run(&shared);
            }
        });
        thread.ok().map(|thread| Checkpointer { wake, thread })
    }

    /// Asks for a round; one that is under way will do.
    pub(super) fn wake(&self) {
        let _ = self.wake.try_send(());
    }

    /// Waits for the round that is under way and ends the thread.
    pub(super) fn end(self) {
        drop(self.wake);
        let _ = self.thread.join();
    }
}

/// One round, on a connection of its own each time: the file may have been replaced since the last one.
fn run(shared: &Shared) {
    if let Err(error) = connection::writer(&shared.path).and_then(|conn| checkpoint(&conn, Mode::Passive)) {
        tracing::error!(%error, "cannot move the log into the database: {error}");
        match trouble(&error) {
            Trouble::Io => shared.log_failed.store(true, Ordering::Relaxed),
            Trouble::Damaged => shared.suspect.store(true, Ordering::Relaxed),
            Trouble::Statement | Trouble::Busy | Trouble::Full => {}
        }
    }
}
