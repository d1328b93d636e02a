//! Packing the hot results of closed five minutes, and summing up closed hours. Reading and computing is done on a reading
//! connection; what is to be written is handed to the writer in small portions.
//!
//! Only one packing runs at a time (the owner of maintenance sees to that), and only packing deletes hot results, so what was
//! read is still true when it is written.

use rusqlite::Connection;
use rusqlite::OptionalExtension;

use crate::model::result::CheckResult;
use crate::model::rollup::Resolution;
use crate::model::rollup::Rollup;
use crate::model::time::UnixMillis;
use crate::store::desk::Desk;
use crate::store::history::codec;
use crate::store::history::codec::Encoder;
use crate::store::history::codec::Stored;
use crate::store::history::read;
use crate::store::history::rollup;

/// How long after its end a stretch is left alone: checks that began in it may still be running. Later ones are merged, which costs more.
const GRACE_MS: i64 = 30_000;

/// Hot results that are held in memory at once while packing, about 10 MB.
const PART_ROWS: i64 = 100_000;

/// Packing waits until this many results are closed, or the oldest is an hour old: the rows of each monitor lie on pages of their
/// own, so that packing four stretches of a thousand monitors at once writes a quarter of what packing each of them would.
/// Reading single results walks over all hot ones, about 3 ms for this many.
const WORTHWHILE_ROWS: i64 = 20_000;

/// See [`WORTHWHILE_ROWS`].
const WORTHWHILE_AGE_MS: i64 = 3_600_000;

/// Hot results that one transaction moves at most, about 5 ms and on a busy machine several times that.
const SLICE_ROWS: usize = 2000;

/// Packed rows that one transaction writes at most, about 5 ms and on a busy machine several times that.
const SLICE_WINDOWS: usize = 50;

/// Hours that are summed up at once.
const HOURS_MAX: i64 = 200;

/// Five minutes of one monitor, ready to be written.
#[derive(Debug)]
pub(in crate::store) struct Window {
    monitor: i64,
    start: i64,
    n: i64,
    data: Vec<u8>,
    rollup: Vec<u8>,
    hot_ids: Vec<i64>,
}

/// Which times are packed.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Closed {
    /// Everything before this.
    before: i64,
    /// And everything from this on: it was recorded while the clock was ahead, and would otherwise stay hot until the clock gets there.
    from: i64,
    /// What is older than this is packed even if it is little.
    overdue: i64,
}

impl Closed {
    pub(in crate::store) fn at(now: UnixMillis, resolution: Resolution) -> Closed {
        let start = rollup::window(UnixMillis(now.0.saturating_sub(GRACE_MS)), resolution).0;
        Closed {
            before: start,
            from: rollup::window(now, resolution).0.saturating_add(2 * rollup::millis(resolution)),
            overdue: now.0.saturating_sub(WORTHWHILE_AGE_MS),
        }
    }
}

/// Into how many parts the hot results are to be divided so that each fits into memory; 0 when packing is not worthwhile yet.
pub(in crate::store) fn n_parts(conn: &Connection, closed: Closed) -> rusqlite::Result<i64> {
    let (n, oldest): (i64, Option<i64>) = conn
        .prepare_cached("SELECT count(*), min(at) FROM results_hot WHERE at < ?1 OR ?2 <= at")?
        .query_row((closed.before, closed.from), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let is_worthwhile = WORTHWHILE_ROWS <= n || oldest.is_some_and(|at| at <= closed.overdue);
    Ok(if n == 0 || !is_worthwhile { 0 } else { n / PART_ROWS + 1 })
}

/// One hot row.
struct Hot {
    monitor: i64,
    start: i64,
    at: i64,
    id: i64,
    data: Vec<u8>,
}

/// Reads and packs the closed results of the monitors of one part, in slices of which each is one transaction.
pub(in crate::store) fn plan(conn: &Connection, closed: Closed, part: (i64, i64)) -> rusqlite::Result<Vec<Vec<Window>>> {
    let mut select =
        conn.prepare_cached("SELECT monitor, at, id, data FROM results_hot WHERE (at < ?1 OR ?2 <= at) AND monitor % ?4 = ?3")?;
    let mut hot = select
        .query_map((closed.before, closed.from, part.0, part.1), |row| {
            let at = row.get(1)?;
            let start = rollup::window(UnixMillis(at), Resolution::FiveMinutes).0;
            Ok(Hot { monitor: row.get(0)?, start, at, id: row.get(2)?, data: row.get(3)? })
        })?
        .collect::<rusqlite::Result<Vec<Hot>>>()?;
    hot.sort_unstable_by_key(|row| (row.monitor, row.start, row.at, row.id));
    let mut slices = vec![Vec::new()];
    let mut n_rows = 0;
    for group in hot.chunk_by(|a, b| (a.monitor, a.start) == (b.monitor, b.start)) {
        let is_full = slices.last().is_some_and(|slice| SLICE_WINDOWS <= slice.len()) || SLICE_ROWS < n_rows + group.len();
        if is_full && n_rows != 0 {
            slices.push(Vec::new());
            n_rows = 0;
        }
        n_rows += group.len();
        let window = pack(conn, group)?;
        if let Some(slice) = slices.last_mut() {
            slice.push(window);
        }
    }
    slices.retain(|slice| !slice.is_empty());
    Ok(slices)
}

/// Packs the hot rows of one monitor and five minutes together with what was packed of them before.
fn pack(conn: &Connection, group: &[Hot]) -> rusqlite::Result<Window> {
    let Hot { monitor, start, .. } = group[0];
    let nobody = read::nobody();
    let (n_before, mut all) = block(conn, monitor, start)?;
    let n_old = all.len();
    all.reserve(group.len());
    for row in group {
        if let Err(error) = codec::decode_into(&mut all, &nobody, UnixMillis(row.at), &row.data) {
            tracing::warn!(%error, "a stored result cannot be read and is dropped: {error}");
        }
    }
    let sum = match sum_of(conn, Resolution::FiveMinutes, monitor, start)? {
        // The single results behind the sum are gone, so it can only be added to.
        Some(sum) if rollup::n_checks(&sum) != n_before => {
            rollup::join(&sum, &rollup::sum_up(UnixMillis(start), all[n_old..].iter().map(|stored| &stored.result)))
        }
        Some(_) | None => rollup::sum_up(UnixMillis(start), all.iter().map(|stored| &stored.result)),
    };
    // Stable, so that of equal times the one that came first stays first.
    all.sort_by_key(|stored| stored.result.at);
    let mut encoder = Encoder::new(UnixMillis(start));
    for stored in &all {
        encoder.push(&stored.result, stored.has_transcript);
    }
    Ok(Window {
        monitor,
        start,
        n: i64::try_from(all.len()).unwrap_or(i64::MAX),
        data: encoder.bytes().to_vec(),
        rollup: rollup::to_bytes(&sum),
        hot_ids: group.iter().map(|row| row.id).collect(),
    })
}

fn block(conn: &Connection, monitor: i64, start: i64) -> rusqlite::Result<(u64, Vec<Stored>)> {
    let found: Option<(i64, Vec<u8>)> = conn
        .prepare_cached("SELECT n, data FROM result_blocks WHERE monitor = ?1 AND start = ?2")?
        .query_row((monitor, start), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((n, data)) = found else { return Ok((0, Vec::new())) };
    Ok(match codec::decode(&read::nobody(), UnixMillis(start), &data) {
        Ok(stored) => (u64::try_from(n).unwrap_or(0), stored),
        Err(error) => {
            tracing::warn!(%error, "five minutes of stored results cannot be read and are dropped: {error}");
            (0, Vec::new())
        }
    })
}

/// A stored sum; one that cannot be read counts as missing.
fn sum_of(conn: &Connection, resolution: Resolution, monitor: i64, start: i64) -> rusqlite::Result<Option<Rollup>> {
    let sql = match resolution {
        Resolution::FiveMinutes => "SELECT data FROM rollups_5m WHERE monitor = ?1 AND start = ?2",
        Resolution::Hour => "SELECT data FROM rollups_1h WHERE monitor = ?1 AND start = ?2",
    };
    let data: Option<Vec<u8>> = conn.prepare_cached(sql)?.query_row((monitor, start), |row| row.get(0)).optional()?;
    Ok(data.and_then(|data| rollup::from_bytes(UnixMillis(start), &data).ok()))
}

/// Puts packed windows in place of their hot rows.
pub(in crate::store) fn write(desk: &mut Desk, windows: &[Window]) -> rusqlite::Result<()> {
    let conn = &desk.conn;
    let mut block = conn.prepare_cached("INSERT OR REPLACE INTO result_blocks (monitor, start, n, data) VALUES (?1, ?2, ?3, ?4)")?;
    let mut sum = conn.prepare_cached("INSERT OR REPLACE INTO rollups_5m (monitor, start, data) VALUES (?1, ?2, ?3)")?;
    let mut due = conn.prepare_cached("INSERT OR IGNORE INTO hours_due (monitor, start) VALUES (?1, ?2)")?;
    let mut delete = conn.prepare_cached("DELETE FROM results_hot WHERE id = ?1")?;
    for window in windows {
        block.execute((window.monitor, window.start, window.n, &window.data))?;
        sum.execute((window.monitor, window.start, &window.rollup))?;
        due.execute((window.monitor, rollup::window(UnixMillis(window.start), Resolution::Hour).0))?;
        for id in &window.hot_ids {
            delete.execute([id])?;
        }
    }
    Ok(())
}

/// Hours that are over and whose five minutes have changed, summed up: monitor, start, bytes. Empty when none is left.
pub(in crate::store) fn plan_hours(conn: &Connection, closed: Closed) -> rusqlite::Result<Vec<(i64, i64, Vec<u8>)>> {
    let mut select = conn.prepare_cached("SELECT monitor, start FROM hours_due WHERE start < ?1 OR ?2 <= start LIMIT ?3")?;
    let due = select
        .query_map((closed.before, closed.from, HOURS_MAX), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<Vec<(i64, i64)>>>()?;
    let mut sums = Vec::with_capacity(due.len());
    for (monitor, start) in due {
        let sum = hour(conn, monitor, start, &[])?;
        // An hour whose parts were already pruned must not be replaced by the little that came late.
        let kept = sum_of(conn, Resolution::Hour, monitor, start)?.filter(|kept| rollup::n_checks(&sum) < rollup::n_checks(kept));
        sums.push((monitor, start, rollup::to_bytes(&kept.unwrap_or(sum))));
    }
    Ok(sums)
}

/// Sums up an hour: exactly from its single results while they are there, otherwise from its five minutes.
pub(in crate::store) fn hour(conn: &Connection, monitor: i64, start: i64, hot: &[CheckResult]) -> rusqlite::Result<Rollup> {
    let end = start.saturating_add(rollup::millis(Resolution::Hour));
    let mut select = conn.prepare_cached("SELECT start, data FROM rollups_5m WHERE monitor = ?1 AND ?2 <= start AND start < ?3")?;
    let fives = select
        .query_map((monitor, start, end), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<Vec<(i64, Vec<u8>)>>>()?;
    let mut single: Vec<CheckResult> = Vec::new();
    let mut sums: Vec<Rollup> = Vec::new();
    let mut is_exact = true;
    for (at, data) in fives {
        let (n, stored) = block(conn, monitor, at)?;
        let Ok(sum) = rollup::from_bytes(UnixMillis(at), &data) else { continue };
        is_exact &= rollup::n_checks(&sum) == n;
        sums.push(sum);
        single.extend(stored.into_iter().map(|stored| stored.result));
    }
    let start = UnixMillis(start);
    if is_exact {
        return Ok(rollup::sum_up(start, single.iter().chain(hot)));
    }
    let first = rollup::sum_up(start, hot);
    Ok(sums.iter().fold(first, |joined, sum| rollup::join(&joined, sum)))
}

/// Writes sums of hours and notes that they are done.
pub(in crate::store) fn write_hours(desk: &mut Desk, sums: &[(i64, i64, Vec<u8>)]) -> rusqlite::Result<()> {
    let conn = &desk.conn;
    let mut insert = conn.prepare_cached("INSERT OR REPLACE INTO rollups_1h (monitor, start, data) VALUES (?1, ?2, ?3)")?;
    let mut done = conn.prepare_cached("DELETE FROM hours_due WHERE monitor = ?1 AND start = ?2")?;
    for (monitor, start, data) in sums {
        insert.execute((monitor, start, data))?;
        done.execute((monitor, start))?;
    }
    Ok(())
}

/// Five minutes of one monitor as they would be packed now, for readers that cannot wait.
pub(in crate::store) fn five_minutes(conn: &Connection, monitor: i64, start: i64, hot: &[CheckResult]) -> rusqlite::Result<Rollup> {
    let (n, stored) = block(conn, monitor, start)?;
    let sum = sum_of(conn, Resolution::FiveMinutes, monitor, start)?;
    Ok(match sum {
        Some(sum) if rollup::n_checks(&sum) != n => rollup::join(&sum, &rollup::sum_up(UnixMillis(start), hot)),
        Some(_) | None => rollup::sum_up(UnixMillis(start), stored.iter().map(|stored| &stored.result).chain(hot)),
    })
}
