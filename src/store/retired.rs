//! Forgetting monitors that left the config long ago. They may come back, so what is known of one stays until nothing that is
//! kept names it any more: its epochs must outlive its incidents and messages, or new ones would get the names of old ones.

use rusqlite::Connection;
use rusqlite::OptionalExtension;

use crate::model::id::MonitorId;
use crate::model::time::UnixMillis;
use crate::model::verdict::OpinionState;
use crate::model::verdict::Verdict;
use crate::store::desk::Desk;
use crate::store::row;

/// Monitors that one transaction forgets at most.
pub(super) const SLICE: usize = 20;

/// Monitors that nothing kept names. Results that are not packed yet and messages have no index by monitor, so each of those
/// tables is walked once.
const UNNAMED: &str = "
    SELECT m.key, m.id, s.state FROM monitors m LEFT JOIN monitor_states s ON s.monitor = m.key
    WHERE NOT EXISTS (SELECT 1 FROM incidents WHERE monitor = m.key)
      AND NOT EXISTS (SELECT 1 FROM rollups_1h WHERE monitor = m.key)
      AND NOT EXISTS (SELECT 1 FROM rollups_5m WHERE monitor = m.key)
      AND NOT EXISTS (SELECT 1 FROM result_blocks WHERE monitor = m.key)
      AND NOT EXISTS (SELECT 1 FROM hours_due WHERE monitor = m.key)
      AND coalesce((SELECT max(at) FROM verdicts WHERE monitor = m.key), ?1 - 1) < ?1
      AND m.key NOT IN (SELECT monitor FROM results_hot)
      AND m.id NOT IN (SELECT queue FROM outbox)";

/// A monitor to be forgotten.
#[derive(Debug, Clone)]
pub(super) struct Retired {
    key: i64,
    /// As it was when that was decided; one that changed since is not retired.
    state: Option<String>,
}

/// Monitors that are retired since before a time.
pub(super) fn plan(conn: &Connection, before: UnixMillis) -> rusqlite::Result<Vec<Retired>> {
    let mut select = conn.prepare_cached(UNNAMED)?;
    let mut rows = select.query([before.0])?;
    let mut retired = Vec::new();
    while let Some(row) = rows.next()? {
        let state: Option<String> = row.get(2)?;
        let id: String = row.get(1)?;
        if state.as_deref().is_none_or(|state| is_retired(&id, state, before)) {
            retired.push(Retired { key: row.get(0)?, state });
        }
    }
    Ok(retired)
}

/// Whether nothing is held of a monitor since before a time. A pause is held: it is an operator's wish. A state that cannot be
/// read says nothing, so there is nothing to lose.
fn is_retired(id: &str, state: &str, before: UnixMillis) -> bool {
    let Some(state) = MonitorId::parse(id).ok().and_then(|id| row::state::from_json(id, state).ok()) else { return true };
    state.verdict == Verdict::Unknown
        && state.opinion.state == OpinionState::Unknown
        && state.paused_at.is_none()
        && state.verdict_since < before
        && state.opinion.since < before
}

/// Forgets monitors that are still as they were planned; says how many.
pub(super) fn delete(desk: &mut Desk, some: &[Retired]) -> rusqlite::Result<usize> {
    let mut n = 0;
    for Retired { key, state } in some {
        if is_named_again(&desk.conn, *key, state.as_deref())? {
            continue;
        }
        for table in ["monitor_states", "verdicts", "transcripts", "heartbeats", "pings"] {
            desk.conn.prepare_cached(&format!("DELETE FROM {table} WHERE monitor = ?1"))?.execute([key])?;
        }
        n += desk.conn.prepare_cached("DELETE FROM monitors WHERE key = ?1")?.execute([key])?;
    }
    // A key that is gone may be given to another monitor.
    desk.forget();
    Ok(n)
}

/// What may have come between the planning and the deleting: the monitor is in the config again.
fn is_named_again(conn: &Connection, key: i64, state: Option<&str>) -> rusqlite::Result<bool> {
    let now: Option<String> =
        conn.prepare_cached("SELECT state FROM monitor_states WHERE monitor = ?1")?.query_row([key], |row| row.get(0)).optional()?;
    let named: bool = conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM incidents WHERE monitor = ?1) OR EXISTS (SELECT 1 FROM results_hot WHERE monitor = ?1)",
        )?
        .query_row([key], |row| row.get(0))?;
    Ok(named || now.as_deref() != state)
}
