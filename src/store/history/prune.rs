//! Forgetting: by age, and by size when the database has grown beyond its cap. In small transactions, so that a commit that
//! comes in between does not wait long.

use std::time::Duration;

use rusqlite::Connection;
use rusqlite::OptionalExtension;

use crate::model::time::UnixMillis;
use crate::store::desk::Desk;

/// Rows that one transaction deletes of one table at most.
const SLICE_ROWS: i64 = 500;

/// A table whose rows belong to a monitor and a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Kind {
    Blocks,
    Transcripts,
    Pings,
    FiveMinutes,
    Hours,
}

/// Statements of one table: times of rows before a time, their deletion, times of the oldest and the newest.
struct Statements {
    cut: &'static str,
    delete: &'static str,
    span: &'static str,
}

fn statements(kind: Kind) -> Statements {
    match kind {
        Kind::Blocks => Statements {
            cut: "SELECT start FROM result_blocks WHERE monitor = ?1 AND start < ?2 ORDER BY start LIMIT 1 OFFSET ?3",
            delete: "DELETE FROM result_blocks WHERE monitor = ?1 AND start < ?2",
            span: "SELECT (SELECT min(start) FROM result_blocks WHERE monitor = ?1), (SELECT max(start) FROM result_blocks WHERE monitor = ?1)",
        },
        Kind::Transcripts => Statements {
            cut: "SELECT at FROM transcripts WHERE monitor = ?1 AND at < ?2 ORDER BY at LIMIT 1 OFFSET ?3",
            delete: "DELETE FROM transcripts WHERE monitor = ?1 AND at < ?2",
            span: "SELECT (SELECT min(at) FROM transcripts WHERE monitor = ?1), (SELECT max(at) FROM transcripts WHERE monitor = ?1)",
        },
        // Without an index of their times: of each heartbeat there are few.
        Kind::Pings => Statements {
            cut: "SELECT at FROM pings WHERE monitor = ?1 AND at < ?2 ORDER BY at LIMIT 1 OFFSET ?3",
            delete: "DELETE FROM pings WHERE monitor = ?1 AND at < ?2",
            span: "SELECT (SELECT min(at) FROM pings WHERE monitor = ?1), (SELECT max(at) FROM pings WHERE monitor = ?1)",
        },
        Kind::FiveMinutes => Statements {
            cut: "SELECT start FROM rollups_5m WHERE monitor = ?1 AND start < ?2 ORDER BY start LIMIT 1 OFFSET ?3",
            delete: "DELETE FROM rollups_5m WHERE monitor = ?1 AND start < ?2",
            span: "SELECT (SELECT min(start) FROM rollups_5m WHERE monitor = ?1), (SELECT max(start) FROM rollups_5m WHERE monitor = ?1)",
        },
        Kind::Hours => Statements {
            cut: "SELECT start FROM rollups_1h WHERE monitor = ?1 AND start < ?2 ORDER BY start LIMIT 1 OFFSET ?3",
            delete: "DELETE FROM rollups_1h WHERE monitor = ?1 AND start < ?2",
            span: "SELECT (SELECT min(start) FROM rollups_1h WHERE monitor = ?1), (SELECT max(start) FROM rollups_1h WHERE monitor = ?1)",
        },
    }
}

/// What one transaction deletes.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Cut {
    kind: Kind,
    monitor: i64,
    before: i64,
}

/// Deletions that leave nothing older than `before`; each is small.
pub(in crate::store) fn plan(conn: &Connection, kind: Kind, before: UnixMillis) -> rusqlite::Result<Vec<Cut>> {
    let Statements { cut, span, .. } = statements(kind);
    let mut span = conn.prepare_cached(span)?;
    let mut cut = conn.prepare_cached(cut)?;
    let mut cuts = Vec::new();
    for monitor in monitors(conn)? {
        let found: Option<i64> = span.query_row([monitor], |row| row.get(0))?;
        if found.is_none_or(|at| before.0 <= at) {
            continue;
        }
        let mut offset = SLICE_ROWS;
        loop {
            let mut rows = cut.query((monitor, before.0, offset))?;
            let Some(row) = rows.next()? else { break };
            cuts.push(Cut { kind, monitor, before: row.get(0)? });
            offset += SLICE_ROWS;
        }
        cuts.push(Cut { kind, monitor, before: before.0 });
    }
    Ok(cuts)
}

/// Carries a deletion out; says how many rows went.
pub(in crate::store) fn delete(desk: &Desk, cut: Cut) -> rusqlite::Result<usize> {
    desk.conn.prepare_cached(statements(cut.kind).delete)?.execute((cut.monitor, cut.before))
}

/// Times of the oldest and the newest row of a table; `None` when it is empty.
pub(in crate::store) fn span(conn: &Connection, kind: Kind) -> rusqlite::Result<Option<(UnixMillis, UnixMillis)>> {
    let mut select = conn.prepare_cached(statements(kind).span)?;
    let mut span: Option<(i64, i64)> = None;
    for monitor in monitors(conn)? {
        let (oldest, newest): (Option<i64>, Option<i64>) = select.query_row([monitor], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if let (Some(oldest), Some(newest)) = (oldest, newest) {
            let (a, b) = span.unwrap_or((oldest, newest));
            span = Some((a.min(oldest), b.max(newest)));
        }
    }
    Ok(span.map(|(oldest, newest)| (UnixMillis(oldest), UnixMillis(newest))))
}

fn monitors(conn: &Connection) -> rusqlite::Result<Vec<i64>> {
    conn.prepare_cached("SELECT key FROM monitors ORDER BY key")?.query_map([], |row| row.get(0))?.collect()
}

/// Deletes closed incidents and verdicts that ended before a time. The verdict that held then stays: it says what came after.
pub(in crate::store) fn delete_closed(desk: &Desk, before: UnixMillis) -> rusqlite::Result<usize> {
    let incidents = desk
        .conn
        .prepare_cached(
            "DELETE FROM incidents WHERE id IN (SELECT id FROM incidents WHERE opened_at < ?1 AND closed_at < ?1 ORDER BY opened_at LIMIT ?2)",
        )?
        .execute((before.0, SLICE_ROWS))?;
    let verdicts = desk
        .conn
        .prepare_cached(
            "DELETE FROM verdicts WHERE (monitor, at) IN (
                 SELECT v.monitor, v.at FROM monitors JOIN verdicts v ON v.monitor = monitors.key
                 WHERE v.at < (SELECT max(at) FROM verdicts WHERE monitor = monitors.key AND at <= ?1) LIMIT ?2)",
        )?
        .execute((before.0, SLICE_ROWS))?;
    Ok(incidents + verdicts)
}

/// A verdict that is further ahead of now than this was dated by a clock that was wrong.
const AHEAD_MIN: Duration = Duration::from_secs(3600);

/// Monitors that have a verdict of the future.
pub(in crate::store) fn ahead(conn: &Connection, now: UnixMillis) -> rusqlite::Result<Vec<i64>> {
    conn.prepare_cached("SELECT key FROM monitors WHERE ?1 < (SELECT max(at) FROM verdicts WHERE monitor = key)")?
        .query_map([(now + AHEAD_MIN).0], |row| row.get(0))?
        .collect()
}

/// Makes the newest of a monitor's verdicts of the future one of now, and deletes the others of them: what held when is not known.
pub(in crate::store) fn rebase(desk: &Desk, monitor: i64, now: UnixMillis) -> rusqlite::Result<()> {
    let ahead = (now + AHEAD_MIN).0;
    let newest: Option<String> = desk
        .conn
        .prepare_cached("SELECT verdict FROM verdicts WHERE monitor = ?1 AND ?2 < at ORDER BY at DESC LIMIT 1")?
        .query_row((monitor, ahead), |row| row.get(0))
        .optional()?;
    let Some(newest) = newest else { return Ok(()) };
    desk.conn.prepare_cached("DELETE FROM verdicts WHERE monitor = ?1 AND ?2 < at")?.execute((monitor, ahead))?;
    // Not before one that is only a little ahead.
    desk.conn
        .prepare_cached(
            "INSERT OR REPLACE INTO verdicts (monitor, at, verdict)
             VALUES (?1, max(?2, coalesce((SELECT max(at) FROM verdicts WHERE monitor = ?1), ?2)), ?3)",
        )?
        .execute((monitor, now.0, newest))?;
    Ok(())
}

/// Sizes of the file in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Size {
    /// Pages that hold something.
    pub(in crate::store) used: u64,
    /// Pages that hold nothing and could be given back.
    pub(in crate::store) free: u64,
}

/// How large the database is.
pub(in crate::store) fn size(conn: &Connection) -> rusqlite::Result<Size> {
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map(|n| u64::try_from(n).unwrap_or(0));
    let page = number("PRAGMA page_size")?;
    let free = number("PRAGMA freelist_count")?;
    let all = number("PRAGMA page_count")?;
    Ok(Size { used: all.saturating_sub(free) * page, free: free * page })
}

/// Gives free pages at the end of the file back to the disk, at most `n_pages`.
pub(in crate::store) fn give_back(desk: &Desk, n_pages: u32) -> rusqlite::Result<()> {
    let mut statement = desk.conn.prepare(&format!("PRAGMA incremental_vacuum({n_pages})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}
