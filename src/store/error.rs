//! Why something did not work, sorted by what the caller does next, and what SQLite's codes mean for the writer.

use std::path::PathBuf;

use rusqlite::ErrorCode;

/// Why the database cannot be opened. Each is one clear sentence; the program exits with code 3.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("another vigilmon is already running on the state directory {0}; stop it, or give this one its own `instance.state_dir`")]
    InUse(String),
    /// The directory or a file in it cannot be created or written.
    #[error("cannot write to {path}: {why}; make it belong to the user that vigilmon runs as, or set another `instance.state_dir`")]
    NotWritable {
        /// Which.
        path: String,
        /// As the system says it.
        why: String,
    },
    /// Locks and shared memory do not work reliably over a network.
    #[error(
        "the state directory {path} is on a network file system ({kind}), which damages SQLite databases; put `instance.state_dir` on a local disk"
    )]
    NetworkFileSystem {
        /// Which directory.
        path: String,
        /// Its kind.
        kind: &'static str,
    },
    /// A newer vigilmon wrote it.
    #[error("this database is at schema {found}, newer than the {known} this build knows; upgrade vigilmon, or restore {copy}")]
    TooNew {
        /// Its schema.
        found: i64,
        /// The newest one this build knows.
        known: i64,
        /// The copy that was kept before the upgrade, if it is still there.
        copy: String,
    },
    /// The SQLite library has a known bug.
    #[error("this build contains SQLite {0}, which can lose data; use a build with 3.51.3 or newer, except 3.52.0")]
    BadSqlite(String),
    /// Anything else.
    #[error("cannot open the database {path}: {why}")]
    Failed {
        /// Which.
        path: String,
        /// As SQLite or the system says it.
        why: String,
    },
}

impl OpenError {
    pub(super) fn not_writable(path: &std::path::Path, error: &std::io::Error) -> OpenError {
        OpenError::NotWritable { path: path.display().to_string(), why: error.to_string() }
    }

    pub(super) fn failed(path: PathBuf, why: &impl ToString) -> OpenError {
        OpenError::Failed { path: path.display().to_string(), why: why.to_string() }
    }
}

/// Why a promised write did not happen.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum CommitError {
    /// The database could not take it (disk full, I/O error). May work later.
    #[error("the database did not take the change: {0}")]
    Failed(String),
    /// The database will never take it: the change contradicts what is stored, or a rule of the tables. Trying again is of no use.
    #[error("the database refused the change: {0}")]
    Refused(String),
    /// Too many changes wait for the disk already. May work later.
    #[error("the store has more waiting than it can take")]
    Busy,
    /// The store is shutting down.
    #[error("the store is not accepting changes")]
    Closed,
}

/// Why a read did not work.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("cannot read the database: {0}")]
pub struct ReadError(pub String);

/// What an error of SQLite means for the connection it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The statement was wrong for the data (a constraint, a value); the connection is fine.
    Statement,
    /// Somebody else holds the lock.
    Busy,
    /// No room on the disk.
    Full,
    /// The system failed to read, write or sync: nothing that this connection believes can be relied on.
    Io,
    /// The file is damaged.
    Damaged,
}

/// Sorts an error.
pub(super) fn trouble(error: &rusqlite::Error) -> Trouble {
    let Some(found) = error.sqlite_error() else { return Trouble::Statement };
    let is = |codes: &[ErrorCode]| codes.contains(&found.code);
    if is(&[ErrorCode::DiskFull]) {
        Trouble::Full
    } else if is(&[ErrorCode::DatabaseBusy, ErrorCode::DatabaseLocked]) {
        Trouble::Busy
    } else if is(&[ErrorCode::DatabaseCorrupt, ErrorCode::NotADatabase]) {
        Trouble::Damaged
    } else if is(&[
        ErrorCode::SystemIoFailure,
        ErrorCode::CannotOpen,
        ErrorCode::ReadOnly,
        ErrorCode::PermissionDenied,
        ErrorCode::OutOfMemory,
        ErrorCode::FileLockingProtocolFailed,
        ErrorCode::NoLargeFileSupport,
        ErrorCode::InternalMalfunction,
    ]) {
        Trouble::Io
    } else {
        Trouble::Statement
    }
}

/// Why a piece of work failed alone, while the connection is fine: mostly it would fail in the same way for ever, and then nobody
/// should try again. What interrupted it from outside may be gone the next time.
pub(super) fn alone(error: &rusqlite::Error) -> CommitError {
    let passes = |code| matches!(code, ErrorCode::OperationInterrupted | ErrorCode::OperationAborted | ErrorCode::SchemaChanged);
    let text = error.to_string();
    if error.sqlite_error().is_some_and(|found| passes(found.code)) { CommitError::Failed(text) } else { CommitError::Refused(text) }
}
