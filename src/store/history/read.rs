//! Reading results and sums, packed or not.

use std::collections::BTreeMap;

use rusqlite::Connection;
use rusqlite::OptionalExtension;

use crate::model::id::MonitorId;
use crate::model::result::CheckResult;
use crate::model::result::Transcript;
use crate::model::rollup::Resolution;
use crate::model::rollup::Rollup;
use crate::model::time::UnixMillis;
use crate::store::desk::key_of;
use crate::store::history::codec;
use crate::store::history::codec::Stored;
use crate::store::history::pack;
use crate::store::history::rollup;
use crate::store::rows::Unreadable;
use crate::store::rows::readable;

/// Most single results of one answer.
pub(in crate::store) const RESULTS_MAX: usize = 1000;

const BLOCK_MS: i64 = 300_000;

/// For results whose monitor does not matter.
pub(in crate::store) fn nobody() -> MonitorId {
    MonitorId::parse("x").expect("a letter is an id")
}

/// Times from the first (inclusive) to the second (exclusive).
pub(in crate::store) type Span = (UnixMillis, UnixMillis);

/// Newest first, with their transcripts.
pub(in crate::store) fn results(conn: &Connection, monitor: &MonitorId, span: Span, limit: usize) -> rusqlite::Result<Vec<CheckResult>> {
    let Some(key) = key_of(conn, monitor)? else { return Ok(Vec::new()) };
    let limit = limit.min(RESULTS_MAX);
    let hot = hot_of(conn, monitor, key, span)?;
    let mut newest = newest(conn, (monitor, key), span, hot, limit)?;
    let mut out = Vec::with_capacity(newest.len());
    for stored in newest.drain(..) {
        let mut result = stored.result;
        if stored.has_transcript {
            result.transcript = transcript(conn, key, result.at)?;
        }
        out.push(result);
    }
    Ok(out)
}

/// The newest `limit` of hot ones and packed ones, newest first. Blocks are read from the newest on, and no more of them than needed.
pub(in crate::store) fn newest(
    conn: &Connection,
    (monitor, key): (&MonitorId, i64),
    (from, to): Span,
    hot: Vec<Stored>,
    limit: usize,
) -> rusqlite::Result<Vec<Stored>> {
    let mut found = hot;
    sort_and_cut(&mut found, limit);
    let mut select =
        conn.prepare_cached("SELECT start, data FROM result_blocks WHERE monitor = ?1 AND ?2 < start AND start < ?3 ORDER BY start DESC")?;
    let mut rows = select.query((key, from.0.saturating_sub(BLOCK_MS), to.0))?;
    while let Some(row) = rows.next()? {
        let Ok(start) = row.get::<_, i64>(0) else { continue };
        let is_enough = limit <= found.len() && found.last().is_some_and(|last| start.saturating_add(BLOCK_MS) <= last.result.at.0);
        if is_enough {
            break;
        }
        match row
            .get_ref(1)?
            .as_blob()
            .map_err(|error| error.to_string())
            .and_then(|data| codec::decode(monitor, UnixMillis(start), data).map_err(|error| error.to_string()))
        {
            Ok(stored) => found.extend(stored.into_iter().filter(|stored| (from..to).contains(&stored.result.at))),
            Err(error) => tracing::warn!(%monitor, error, "five minutes of results of `{monitor}` cannot be read: {error}"),
        }
        sort_and_cut(&mut found, limit);
    }
    Ok(found)
}

fn sort_and_cut(found: &mut Vec<Stored>, limit: usize) {
    found.sort_by_key(|stored| std::cmp::Reverse(stored.result.at));
    found.truncate(limit);
}

/// Not yet packed results of one monitor. There is no index for this: the table holds a few minutes.
fn hot_of(conn: &Connection, monitor: &MonitorId, key: i64, (from, to): Span) -> rusqlite::Result<Vec<Stored>> {
    let mut select = conn.prepare_cached("SELECT at, data FROM results_hot WHERE monitor = ?1 AND ?2 <= at AND at < ?3 ORDER BY id")?;
    let parts = readable(&mut select.query((key, from.0, to.0))?, "result", |row| {
        let data = row.get_ref(1)?.as_blob().map_err(|error| Unreadable(error.to_string()))?;
        Ok(codec::decode(monitor, UnixMillis(row.get(0)?), data)?)
    })?;
    Ok(parts.into_iter().flatten().collect())
}

fn transcript(conn: &Connection, key: i64, at: UnixMillis) -> rusqlite::Result<Transcript> {
    let found: Option<(String, u32)> = conn
        .prepare_cached("SELECT lines, n_dropped FROM transcripts WHERE monitor = ?1 AND at = ?2")?
        .query_row((key, at.0), |row| Ok((row.get_ref(0)?.as_bytes().map(String::from_utf8_lossy)?.into_owned(), row.get(1)?)))
        .optional()?;
    Ok(found.map_or_else(Transcript::default, |(lines, n_dropped)| {
        let lines = if lines.is_empty() { Vec::new() } else { lines.split('\n').map(str::to_owned).collect() };
        Transcript { lines, n_dropped }
    }))
}

/// Sums of the stretches that overlap the span, in time order; those of results that are not packed yet are computed.
pub(in crate::store) fn rollups(
    conn: &Connection,
    monitor: &MonitorId,
    resolution: Resolution,
    (from, to): Span,
) -> rusqlite::Result<Vec<Rollup>> {
    let Some(key) = key_of(conn, monitor)? else { return Ok(Vec::new()) };
    let length = rollup::millis(resolution);
    let first = rollup::window(from, resolution).0;
    let sql = match resolution {
        Resolution::FiveMinutes => "SELECT start, data FROM rollups_5m WHERE monitor = ?1 AND ?2 <= start AND start < ?3",
        Resolution::Hour => "SELECT start, data FROM rollups_1h WHERE monitor = ?1 AND ?2 <= start AND start < ?3",
    };
    let mut select = conn.prepare_cached(sql)?;
    let stored = readable(&mut select.query((key, first, to.0))?, "roll-up", |row| {
        let data = row.get_ref(1)?.as_blob().map_err(|error| Unreadable(error.to_string()))?;
        Ok(rollup::from_bytes(UnixMillis(row.get(0)?), data)?)
    })?;
    let mut sums: BTreeMap<i64, Rollup> = stored.into_iter().map(|sum| (sum.start.0, sum)).collect();
    let last = rollup::window(UnixMillis(to.0.saturating_sub(1)), resolution).0.saturating_add(length);
    let mut fresh: BTreeMap<i64, Vec<CheckResult>> = BTreeMap::new();
    for stored in hot_of(conn, monitor, key, (UnixMillis(first), UnixMillis(last)))? {
        fresh.entry(rollup::window(stored.result.at, resolution).0).or_default().push(stored.result);
    }
    if resolution == Resolution::Hour {
        let mut due = conn.prepare_cached("SELECT start FROM hours_due WHERE monitor = ?1 AND ?2 <= start AND start < ?3")?;
        for start in due.query_map((key, first, to.0), |row| row.get::<_, i64>(0))? {
            fresh.entry(start?).or_default();
        }
    }
    for (start, hot) in fresh {
        let sum = match resolution {
            Resolution::FiveMinutes => pack::five_minutes(conn, key, start, &hot)?,
            Resolution::Hour => pack::hour(conn, key, start, &hot)?,
        };
        sums.insert(start, sum);
    }
    Ok(sums.into_values().collect())
}
