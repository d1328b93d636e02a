//! Reading rows such that one that makes no sense costs itself and not the answer.

use rusqlite::Row;
use rusqlite::Rows;

use crate::model::id::BadId;
use crate::model::id::BadName;
use crate::store::history::codec::BadBytes;

/// Why a row makes no sense.
#[derive(Debug)]
pub(super) struct Unreadable(pub String);

impl From<rusqlite::Error> for Unreadable {
    fn from(error: rusqlite::Error) -> Unreadable {
        Unreadable(error.to_string())
    }
}

impl From<String> for Unreadable {
    fn from(why: String) -> Unreadable {
        Unreadable(why)
    }
}

impl From<BadBytes> for Unreadable {
    fn from(bad: BadBytes) -> Unreadable {
        Unreadable(bad.to_string())
    }
}

impl From<BadId> for Unreadable {
    fn from(bad: BadId) -> Unreadable {
        Unreadable(bad.to_string())
    }
}

impl From<BadName> for Unreadable {
    fn from(bad: BadName) -> Unreadable {
        Unreadable(bad.to_string())
    }
}

/// All rows that can be read; the others are logged and left out.
pub(super) fn readable<T>(
    rows: &mut Rows<'_>,
    what: &str,
    mut read: impl FnMut(&Row<'_>) -> Result<T, Unreadable>,
) -> rusqlite::Result<Vec<T>> {
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        match read(row) {
            Ok(value) => out.push(value),
            Err(Unreadable(why)) => tracing::warn!(error = why, "a stored {what} cannot be read and is left out: {why}"),
        }
    }
    Ok(out)
}
