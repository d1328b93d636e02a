//! What is shared with peers and must survive a restart. The store neither reads nor merges it: `crate::consensus` does.

use rusqlite::Connection;

use crate::model::change::StoredFact;
use crate::model::time::UnixMillis;
use crate::store::desk::Desk;

/// Keeps a fact in place of the one with the same key.
pub(super) fn put(desk: &Desk, fact: &StoredFact) -> rusqlite::Result<()> {
    desk.conn
        .prepare_cached(
            "INSERT INTO facts (key, value, until) VALUES (?1, ?2, ?3)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value, until = excluded.until",
        )?
        .execute((&fact.key, &fact.value, fact.until.map(|at| at.0)))?;
    Ok(())
}

/// Rows that one transaction of maintenance deletes at most.
const SLICE_ROWS: i64 = 500;

/// Forgets facts whose time is over; says how many.
pub(super) fn delete_ended(desk: &Desk, now: UnixMillis) -> rusqlite::Result<usize> {
    desk.conn
        .prepare_cached("DELETE FROM facts WHERE key IN (SELECT key FROM facts WHERE until < ?1 ORDER BY until LIMIT ?2)")?
        .execute((now.0, SLICE_ROWS))
}

/// All facts, in key order.
pub(super) fn all(conn: &Connection) -> rusqlite::Result<Vec<StoredFact>> {
    let mut select = conn.prepare_cached("SELECT key, value, until FROM facts ORDER BY key")?;
    let rows = select.query_map([], |row| {
        Ok(StoredFact { key: row.get(0)?, value: row.get(1)?, until: row.get::<_, Option<i64>>(2)?.map(UnixMillis) })
    })?;
    rows.collect()
}
