//! Attempts to deliver messages: each is written with the mark of its message, and goes when the message goes.

use std::time::Duration;

use rusqlite::Connection;
use rusqlite::Row;

use crate::model::time::UnixMillis;
use crate::store::Answered;
use crate::store::AnsweredBy;
use crate::store::Attempt;
use crate::store::AttemptOutcome;
use crate::store::channel;
use crate::store::desk::Desk;
use crate::store::rows::Unreadable;
use crate::store::rows::readable;

/// The first attempts of a message that are kept: they say how the trouble began.
const KEPT_FIRST: u32 = 3;

/// The last attempts of a message that are kept. A message that is tried for a day has about a hundred.
const KEPT_LAST: u32 = 7;

/// Attempts in all; beyond it those of the oldest messages go. A hundred thousand messages that are fine have as many, and a few
/// thousand that are not have ten each.
pub(super) const ROWS_MAX: i64 = 150_000;

/// Rows that one transaction of maintenance deletes at most.
const SLICE_ROWS: i64 = 500;

/// Keeps an attempt as the newest of a message, which has been marked already as of `ended_at`, and what it says of the channel.
pub(super) fn put(desk: &Desk, message: i64, attempt: &Attempt, ended_at: UnixMillis) -> rusqlite::Result<()> {
    let (name, n, is_rest): (String, u32, bool) = desk
        .conn
        .prepare_cached("SELECT channel, n_attempts, remaining IS NOT NULL FROM outbox WHERE id = ?1")?
        .query_row([message], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let Attempt { at, took, outcome, reason, answer, called: _, is_unanswered: _ } = attempt;
    let until = match outcome {
        AttemptOutcome::Later(until) => Some(until.0),
        AttemptOutcome::Accepted | AttemptOutcome::Refused | AttemptOutcome::Failed => None,
    };
    let (by, code, said) = match answer {
        Some(Answered { by, code, said }) => (Some(by.word()), Some(*code), Some(said)),
        None => (None, None, None),
    };
    desk.conn
        .prepare_cached(
            "INSERT OR REPLACE INTO attempts (message, n, at, took_ms, outcome, until, reason, answered_by, code, said)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute((message, n, at.0, i64::try_from(took.as_millis()).unwrap_or(i64::MAX), outcome.word(), until, reason, by, code, said))?;
    desk.conn.prepare_cached("DELETE FROM attempts WHERE message = ?1 AND ?2 < n AND n <= ?3")?.execute((
        message,
        KEPT_FIRST,
        n.saturating_sub(KEPT_LAST),
    ))?;
    match outcome {
        AttemptOutcome::Accepted => channel::note_accepted(desk, &name, ended_at),
        // That one of several recipients is not reached says nothing of the channel, which has reached the others.
        AttemptOutcome::Refused | AttemptOutcome::Failed | AttemptOutcome::Later(_) if is_rest => Ok(()),
        AttemptOutcome::Refused | AttemptOutcome::Failed | AttemptOutcome::Later(_) => channel::note_failed(desk, &name, ended_at, attempt),
    }
}

/// The attempts of a message that are kept, oldest first, each with its number.
pub(super) fn of(conn: &Connection, message: i64) -> rusqlite::Result<Vec<(u32, Attempt)>> {
    let mut select = conn.prepare_cached(
        "SELECT n, at, took_ms, outcome, until, reason, answered_by, code, said FROM attempts WHERE message = ?1 ORDER BY n",
    )?;
    readable(&mut select.query([message])?, "attempt", attempt)
}

fn attempt(row: &Row<'_>) -> Result<(u32, Attempt), Unreadable> {
    let outcome: String = row.get(3)?;
    let by: Option<String> = row.get(6)?;
    let by = match by.as_deref() {
        None => None,
        Some("http") => Some(AnsweredBy::Http),
        Some("smtp") => Some(AnsweredBy::Smtp),
        Some("exit") => Some(AnsweredBy::Program),
        Some(other) => return Err(Unreadable(format!("`{other}` answers nothing"))),
    };
    let answer = match by {
        Some(by) => Some(Answered { by, code: row.get(7)?, said: row.get(8)? }),
        None => None,
    };
    let attempt = Attempt {
        at: UnixMillis(row.get(1)?),
        took: Duration::from_millis(row.get::<_, i64>(2)?.unsigned_abs()),
        outcome: match outcome.as_str() {
            "accepted" => AttemptOutcome::Accepted,
            "refused" => AttemptOutcome::Refused,
            "failed" => AttemptOutcome::Failed,
            "later" => AttemptOutcome::Later(UnixMillis(row.get(4)?)),
            other => return Err(Unreadable(format!("`{other}` is no outcome"))),
        },
        reason: row.get(5)?,
        answer,
        called: None,
        is_unanswered: false,
    };
    Ok((row.get(0)?, attempt))
}

/// Drops up to a slice of what is beyond `rows_max`, those of the oldest messages first; says how many rows went.
pub(super) fn drop_excess(desk: &Desk, rows_max: i64) -> rusqlite::Result<usize> {
    let n: i64 = desk.conn.prepare_cached("SELECT count(*) FROM attempts")?.query_row([], |row| row.get(0))?;
    let excess = (n - rows_max).min(SLICE_ROWS);
    if excess <= 0 {
        return Ok(0);
    }
    desk.conn
        .prepare_cached("DELETE FROM attempts WHERE (message, n) IN (SELECT message, n FROM attempts ORDER BY message, n LIMIT ?1)")?
        .execute([excess])
}
