//! Sessions and named values: small things with a name.

use rusqlite::Connection;
use rusqlite::OptionalExtension;

use crate::model::time::UnixMillis;
use crate::store::SessionRow;
use crate::store::desk::Desk;
use crate::store::rows::readable;

/// Keeps a session.
pub(super) fn session_put(desk: &Desk, session: &SessionRow) -> rusqlite::Result<()> {
    let SessionRow { token_hash, user, said, created_at, seen_at } = session;
    desk.conn
        .prepare_cached(
            "INSERT INTO sessions (token_hash, user, said, created_at, seen_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET user = excluded.user, said = excluded.said, created_at = excluded.created_at,
             seen_at = excluded.seen_at",
        )?
        .execute((token_hash, user, said, created_at.0, seen_at.0))?;
    Ok(())
}

/// All sessions.
pub(super) fn sessions(conn: &Connection) -> rusqlite::Result<Vec<SessionRow>> {
    let mut select =
        conn.prepare_cached("SELECT token_hash, user, said, created_at, seen_at FROM sessions ORDER BY created_at, token_hash")?;
    readable(&mut select.query([])?, "session", |row| {
        let (created_at, seen_at) = (UnixMillis(row.get(3)?), UnixMillis(row.get(4)?));
        Ok(SessionRow { token_hash: row.get(0)?, user: row.get(1)?, said: row.get(2)?, created_at, seen_at })
    })
}

/// Forgets sessions.
pub(super) fn sessions_delete(desk: &Desk, token_hashes: &[[u8; 32]]) -> rusqlite::Result<()> {
    let mut delete = desk.conn.prepare_cached("DELETE FROM sessions WHERE token_hash = ?1")?;
    for token_hash in token_hashes {
        delete.execute([token_hash])?;
    }
    Ok(())
}

/// A named value.
pub(super) fn value(conn: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    conn.prepare_cached("SELECT value FROM named_values WHERE name = ?1")?.query_row([name], |row| row.get(0)).optional()
}

/// Keeps a named value.
pub(super) fn value_put(desk: &Desk, name: &str, value: &str) -> rusqlite::Result<()> {
    desk.conn
        .prepare_cached("INSERT INTO named_values (name, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value")?
        .execute((name, value))?;
    Ok(())
}
