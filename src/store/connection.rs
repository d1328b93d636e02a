//! How connections are set up: each pragma with its reason.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::OpenFlags;

/// How long to wait for a lock that a backup, a shell or a replicator holds.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// The connection that writes. The file must exist.
///
/// # Errors
/// As SQLite says it; damage of the first page shows here.
pub(super) fn writer(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY_MAX)?;
    // Only has an effect on a database without tables: free pages can later be given back in small slices, without a long VACUUM.
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    // Readers never wait for the writer nor the writer for them, and a commit is one append.
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN),
            Some(format!("the journal mode is `{mode}` and cannot be changed to WAL")),
        ));
    }
    // What is promised is on the disk when the commit returns. The writer lowers this for batches that promise nothing.
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    // The writer moves the log into the database itself, after it has answered, so that nobody's commit pays for it.
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    // After a burst the log is cut back to this instead of staying large for ever.
    conn.pragma_update(None, "journal_size_limit", 8 * 1024 * 1024)?;
    // 4 MiB: the places in the packed tables that are written again and again.
    conn.pragma_update(None, "cache_size", -4096)?;
    // Sorting in memory: a disk that is full or read-only must not stop a query.
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    // A damaged cell is an error instead of undefined rows.
    conn.pragma_update(None, "cell_size_check", true)?;
    // The schema of a file that somebody else may have put there cannot call functions with side effects.
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(conn)
}

/// A connection that only reads.
///
/// # Errors
/// As SQLite says it.
pub(super) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY_MAX)?;
    conn.pragma_update(None, "cache_size", -1024)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "cell_size_check", true)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.set_prepared_statement_cache_capacity(32);
    Ok(conn)
}

/// Whether a check of SQLite's finds nothing; of one table, or of the whole file.
///
/// # Errors
/// As SQLite says it.
pub(super) fn is_sound(conn: &Connection, table: Option<&str>) -> rusqlite::Result<bool> {
    let first: String = match table {
        Some(table) => conn.query_row(&format!("PRAGMA quick_check({table})"), [], |row| row.get(0))?,
        None => conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?,
    };
    Ok(first == "ok")
}
