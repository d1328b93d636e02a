//! What a piece of work finds when its turn comes on the writer thread: the connection, inside a transaction, and what is
//! remembered between transactions.

use std::collections::HashMap;

use rusqlite::Connection;
use rusqlite::OptionalExtension;

use crate::model::id::MonitorId;
use crate::store::history::record::Recorder;

/// See the module.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) conn: Connection,
    pub(super) recorder: Recorder,
    keys: HashMap<MonitorId, i64>,
    is_full_sync: bool,
}

impl Desk {
    /// Around a connection that is set up.
    pub(super) fn new(conn: Connection) -> Desk {
        Desk { conn, recorder: Recorder::default(), keys: HashMap::new(), is_full_sync: true }
    }

    /// Begins the transaction of a batch. Promised ones are on the disk when their commit returns; for the others it is enough
    /// that they are not torn, and a power cut may take the newest of them.
    pub(super) fn begin(&mut self, promised: bool) -> rusqlite::Result<()> {
        if self.is_full_sync != promised {
            self.conn.pragma_update(None, "synchronous", if promised { "FULL" } else { "NORMAL" })?;
            self.is_full_sync = promised;
        }
        // IMMEDIATE: a lock held by somebody else is met here, where nothing has been done yet.
        self.step("BEGIN IMMEDIATE")
    }

    /// Runs a statement without parameters and results.
    pub(super) fn step(&self, sql: &str) -> rusqlite::Result<()> {
        self.conn.prepare_cached(sql)?.execute([]).map(|_| ())
    }

    /// Undoes the transaction, if one is open. The connection may be beyond that, so errors do not matter.
    pub(super) fn roll_back(&mut self) {
        if !self.conn.is_autocommit() {
            let _ = self.step("ROLLBACK");
        }
        self.forget();
    }

    /// Forgets keys that may have been undone.
    pub(super) fn forget(&mut self) {
        self.keys.clear();
    }

    /// The key of a monitor, given to it now if it has none.
    pub(super) fn key(&mut self, monitor: &MonitorId) -> rusqlite::Result<i64> {
        if let Some(key) = self.keys.get(monitor) {
            return Ok(*key);
        }
        let key = match key_of(&self.conn, monitor)? {
            Some(key) => key,
            None => self
                .conn
                .prepare_cached("INSERT INTO monitors (id) VALUES (?1) RETURNING key")?
                .query_row([monitor.as_str()], |row| row.get(0))?,
        };
        self.keys.insert(monitor.clone(), key);
        Ok(key)
    }
}

/// The key of a monitor that ever had something to keep.
pub(super) fn key_of(conn: &Connection, monitor: &MonitorId) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached("SELECT key FROM monitors WHERE id = ?1")?.query_row([monitor.as_str()], |row| row.get(0)).optional()
}
