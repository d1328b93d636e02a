//! Opening a database whatever state it is in, and going on when it is lost: monitoring matters more than history.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;
use rusqlite::ffi;
use rusqlite::types::Value;

use crate::clock::Clock;
use crate::model::time::UnixMillis;
use crate::store::Opened;
use crate::store::connection;
use crate::store::error::OpenError;
use crate::store::error::Trouble;
use crate::store::error::trouble;
use crate::store::files;
use crate::store::schema;
use crate::store::schema::MIGRATIONS;
use crate::store::schema::Migrated;

/// A file up to this size is checked as a whole while opening; that takes less than the start may. Of a larger one the tables
/// that a start needs are, and the rest while it runs.
pub(super) const CHECK_AT_OPEN_BYTES: u64 = 16 * 1024 * 1024;

/// What a start and the delivery of messages cannot do without, in an order in which references are kept. Single results and
/// roll-ups are not in the list: they may be a gigabyte, and monitoring must go on within seconds.
const PRECIOUS: [&str; 15] = [
    "monitors",
    "monitor_states",
    "heartbeats",
    "incidents",
    "outbox",
    "channels",
    "sessions",
    "named_values",
    "subscribers",
    "subscribers_gone",
    "subscribers_told",
    "page_news",
    "alive",
    "verdicts",
    "facts",
];

/// Rows that are carried over of one table at most; more would keep the start waiting.
const CARRIED_ROWS_MAX: usize = 200_000;

/// Opens the database of a directory, or sets a damaged one aside and begins a new one.
pub(super) fn open_or_set_aside(dir: &Path, clock: &Clock) -> Result<(Connection, Opened), OpenError> {
    let path = dir.join(files::DB);
    for file in [path.clone(), files::beside(&path, "-wal"), files::beside(&path, "-shm")] {
        if file == path || file.exists() {
            files::make_private(&file).map_err(|error| OpenError::not_writable(&file, &error))?;
        }
    }
    let now = clock.now().wall;
    let mut outcome = open(&path, dir, now);
    if matches!(&outcome, Err(schema::Failure::Sql(error)) if matches!(trouble(error), Trouble::Full | Trouble::Io))
        && files::free_reserve(dir)
    {
        // The shared memory file did not fit any more.
        outcome = open(&path, dir, now);
    }
    match outcome {
        Ok((conn, Migrated::Current)) => Ok((conn, Opened::default())),
        Ok((conn, Migrated::From(version, copy))) => Ok((conn, Opened { migrated_from: Some((version, copy)), ..Opened::default() })),
        Err(schema::Failure::Open(error)) => Err(error),
        Err(schema::Failure::Sql(error)) if !is_damage(&error) => Err(OpenError::failed(path, &error)),
        Ok((_, Migrated::Torn)) => replace(&path, dir, now, "its versions contradict each other"),
        Err(schema::Failure::Sql(error)) => replace(&path, dir, now, &error.to_string()),
    }
}

/// The files are known to be writable, so what SQLite cannot make sense of is damage; only the system's own failures are not.
fn is_damage(error: &rusqlite::Error) -> bool {
    match trouble(error) {
        Trouble::Damaged | Trouble::Statement => true,
        Trouble::Busy | Trouble::Full => false,
        Trouble::Io => error.sqlite_error().is_some_and(|found| {
            matches!(found.code, rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly)
                || found.extended_code == rusqlite::ffi::SQLITE_IOERR_SHORT_READ
        }),
    }
}

fn open(path: &Path, dir: &Path, now: UnixMillis) -> Result<(Connection, Migrated), schema::Failure> {
    let mut conn = connection::writer(path)?;
    let migrated = match schema::migrate(&mut conn, dir, MIGRATIONS, now.0)? {
        Migrated::Torn => Migrated::Torn,
        fine @ (Migrated::Current | Migrated::From(..)) => {
            if is_sound(&conn, path)? {
                fine
            } else {
                Migrated::Torn
            }
        }
    };
    Ok((conn, migrated))
}

fn is_sound(conn: &Connection, path: &Path) -> rusqlite::Result<bool> {
    let is_small = std::fs::metadata(path).is_ok_and(|found| found.len() < CHECK_AT_OPEN_BYTES);
    if is_small {
        return connection::is_sound(conn, None);
    }
    for table in PRECIOUS {
        if !connection::is_sound(conn, Some(table))? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn replace(path: &Path, dir: &Path, now: UnixMillis, why: &str) -> Result<(Connection, Opened), OpenError> {
    let set_aside = files::set_aside(path, now).map_err(|error| OpenError::not_writable(path, &error))?;
    let name = set_aside.display().to_string();
    let begun = begin_new(path, dir, now).and_then(|mut conn| salvage(&set_aside, &mut conn).map(|()| conn));
    let conn = match begun {
        Ok(conn) => conn,
        Err(error) => {
            // The next start must find the damaged one and not an empty one that looks good.
            let put_back = files::put_back(&set_aside, path);
            let why = put_back.map_or_else(|undo| format!("{error}; the damaged database is now {name}: {undo}"), |()| error.to_string());
            return Err(OpenError::failed(path.to_owned(), &why));
        }
    };
    tracing::error!(file = name, error = why, "the database is damaged ({why}); it was set aside as {name} and a new one was begun");
    Ok((conn, Opened { set_aside: Some(name), ..Opened::default() }))
}

/// A new, empty database where there is none.
pub(super) fn begin_new(path: &Path, dir: &Path, now: UnixMillis) -> rusqlite::Result<Connection> {
    files::make_private(path).map_err(|error| of_system(&error))?;
    match open(path, dir, now) {
        Ok((conn, Migrated::Current)) => {
            // The name must survive a power cut as well as the content.
            files::sync(dir).map_err(|error| of_system(&error))?;
            Ok(conn)
        }
        Ok((_, Migrated::From(..) | Migrated::Torn)) => Err(failure(ffi::SQLITE_CANTOPEN, "there is a database already".to_owned())),
        Err(schema::Failure::Open(error)) => Err(failure(ffi::SQLITE_CANTOPEN, error.to_string())),
        Err(schema::Failure::Sql(error)) => Err(error),
    }
}

fn failure(code: i32, why: String) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(why))
}

/// What SQLite would have said.
fn of_system(error: &io::Error) -> rusqlite::Error {
    let code = if error.kind() == io::ErrorKind::StorageFull { ffi::SQLITE_FULL } else { ffi::SQLITE_CANTOPEN };
    failure(code, error.to_string())
}

/// Carries over what can still be read of the precious tables. Whatever cannot be is left out; the damaged file is kept.
///
/// # Errors
/// The system's (no room, no file handles), not those of the damaged file: it may work later.
pub(super) fn salvage(from: &Path, to: &mut Connection) -> rusqlite::Result<()> {
    // SQLite cannot open a file only if the system refuses; damage shows when it is read.
    let old = Connection::open_with_flags(from, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let tx = to.transaction()?;
    let mut n_rows = 0;
    for table in PRECIOUS {
        n_rows += carry(&old, &tx, table)?;
    }
    tx.commit()?;
    tracing::info!(n_rows, "{n_rows} rows of the damaged database were carried over");
    Ok(())
}

/// Carries over one table. Errors are those of the new database.
fn carry(old: &Connection, tx: &Connection, table: &str) -> rusqlite::Result<usize> {
    let unreadable = |error: rusqlite::Error| {
        tracing::warn!(table, %error, "cannot read `{table}` of the damaged database: {error}");
        Ok(0)
    };
    let mut select = match old.prepare(&format!("SELECT * FROM {table}")) {
        Ok(select) => select,
        Err(error) => return unreadable(error),
    };
    let n_columns = select.column_count();
    let marks = vec!["?"; n_columns].join(", ");
    // By name: a database of an earlier schema has fewer columns.
    let columns = select.column_names().collect::<Vec<_>>().join(", ");
    let mut insert = match tx.prepare(&format!("INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})")) {
        Err(error) if trouble(&error) == Trouble::Statement => return unreadable(error),
        other => other?,
    };
    let mut rows = match select.query([]) {
        Ok(rows) => rows,
        Err(error) => return unreadable(error),
    };
    let mut n = 0;
    // An error of `next` means that the rest of the table cannot be reached; what came before it counts.
    while n < CARRIED_ROWS_MAX
        && let Ok(Some(row)) = rows.next()
    {
        let values: rusqlite::Result<Vec<Value>> = (0..n_columns).map(|i| row.get(i)).collect();
        let Ok(values) = values else { continue };
        match insert.execute(rusqlite::params_from_iter(values)) {
            Ok(_) => n += 1,
            // The row breaks a rule of the table.
            Err(error) if trouble(&error) == Trouble::Statement => {}
            Err(error) => return Err(error),
        }
    }
    Ok(n)
}

/// Writes the whole database again from a connection whose files were removed: what is open can still be read.
pub(super) fn write_anew(conn: &Connection, path: &Path) -> Result<Connection, String> {
    let unfinished: PathBuf = files::beside(path, ".unfinished");
    let text = |error: std::io::Error| error.to_string();
    files::remove_if_there(&unfinished).map_err(text)?;
    drop(files::create_private(&unfinished).map_err(text)?);
    conn.execute("VACUUM INTO ?1", [unfinished.to_string_lossy()]).map_err(|error| error.to_string())?;
    files::sync(&unfinished).map_err(text)?;
    for suffix in ["-wal", "-shm"] {
        files::remove_if_there(&files::beside(path, suffix)).map_err(text)?;
    }
    std::fs::rename(&unfinished, path).map_err(text)?;
    if let Some(dir) = path.parent() {
        files::sync(dir).map_err(text)?;
    }
    connection::writer(path).map_err(|error| error.to_string())
}
