//! Tests of the store as a whole, on real files. Nothing sleeps: `flush` says when results have been written.

use std::sync::atomic::AtomicI64;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use rusqlite::Connection;
use rusqlite::ffi;

/// Faults that a test plans.
#[derive(Debug)]
pub(super) struct Faults {
    /// The commit that fails: 1 is the next one, 0 and less none.
    commit: AtomicI64,
    /// Extended code of that failure.
    code: AtomicI64,
    /// Pages that the database may have; 0 is no limit.
    pages_max: AtomicU32,
}

impl Default for Faults {
    fn default() -> Faults {
        Faults { commit: AtomicI64::new(0), code: AtomicI64::new(i64::from(ffi::SQLITE_IOERR_FSYNC)), pages_max: AtomicU32::new(0) }
    }
}

impl Faults {
    /// Called by the writer before each COMMIT.
    pub(super) fn before_commit(&self) -> rusqlite::Result<()> {
        if self.commit.fetch_sub(1, Ordering::SeqCst) == 1 {
            let code = i32::try_from(self.code.load(Ordering::SeqCst)).unwrap_or(ffi::SQLITE_IOERR);
            return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some("planned by a test".to_owned())));
        }
        Ok(())
    }

    /// Called by the writer for each connection it opens.
    pub(super) fn after_open(&self, conn: &Connection) -> rusqlite::Result<()> {
        let pages = self.pages_max.load(Ordering::SeqCst);
        if pages == 0 { Ok(()) } else { conn.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())) }
    }
}
