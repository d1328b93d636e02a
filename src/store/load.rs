//! What a start needs, read in one go.

use std::collections::BTreeMap;
use std::collections::HashMap;

use rusqlite::Connection;
use rusqlite::OptionalExtension;

use crate::model::id::MonitorId;
use crate::model::result::RecentResults;
use crate::model::time::UnixMillis;
use crate::store::Loaded;
use crate::store::change;
use crate::store::history::codec;
use crate::store::history::codec::Stored;
use crate::store::history::read;
use crate::store::rows::Unreadable;
use crate::store::rows::readable;

/// Results of each monitor that are given back.
const RECENT_MAX: usize = 60;

/// When a monitor has more hot results than this, all but the newest are let go while reading on.
const RECENT_SLACK: usize = 4 * RECENT_MAX;

/// Reads it.
pub(super) fn load(conn: &Connection) -> rusqlite::Result<Loaded> {
    let states = change::states(conn)?;
    let last_alive = conn.prepare_cached("SELECT at FROM alive")?.query_row([], |row| row.get(0)).optional()?.map(UnixMillis);
    let mut hot = hot(conn)?;
    let mut known: BTreeMap<i64, MonitorId> = states.iter().map(|(key, state)| (*key, state.monitor.clone())).collect();
    for key in hot.keys().filter(|key| !known.contains_key(*key)).copied().collect::<Vec<_>>() {
        let mut select = conn.prepare_cached("SELECT id FROM monitors WHERE key = ?1")?;
        let id: Option<String> = select.query_row([key], |row| row.get(0)).optional()?;
        if let Some(monitor) = id.and_then(|id| MonitorId::parse(&id).ok()) {
            known.insert(key, monitor);
        }
    }
    let mut recent = RecentResults::new();
    for (key, monitor) in known {
        let hot = decoded(&monitor, hot.remove(&key).unwrap_or_default());
        let ever = (UnixMillis(i64::MIN / 2), UnixMillis(i64::MAX / 2));
        let mut newest = read::newest(conn, (&monitor, key), ever, hot, RECENT_MAX)?;
        newest.reverse();
        if !newest.is_empty() {
            recent.insert(monitor, newest.into_iter().map(|stored| stored.result).collect());
        }
    }
    Ok(Loaded {
        states: states.into_iter().map(|(_, state)| state).collect(),
        recent,
        incidents: change::open_incidents(conn)?,
        last_alive,
    })
}

type HotRows = Vec<(i64, Vec<u8>)>;

/// The newest hot results of every monitor, still as bytes: most of them are not needed.
fn hot(conn: &Connection) -> rusqlite::Result<HashMap<i64, HotRows>> {
    let mut by_monitor: HashMap<i64, HotRows> = HashMap::new();
    let mut select = conn.prepare_cached("SELECT monitor, at, data FROM results_hot ORDER BY id")?;
    readable(&mut select.query([])?, "result", |row| {
        let data = row.get_ref(2)?.as_blob().map_err(|error| Unreadable(error.to_string()))?.to_vec();
        let rows = by_monitor.entry(row.get(0)?).or_default();
        rows.push((row.get(1)?, data));
        if RECENT_SLACK < rows.len() {
            keep_newest(rows);
        }
        Ok(())
    })?;
    by_monitor.values_mut().for_each(keep_newest);
    Ok(by_monitor)
}

fn keep_newest(rows: &mut HotRows) {
    rows.sort_by_key(|(at, _)| *at);
    rows.drain(..rows.len().saturating_sub(RECENT_MAX));
}

fn decoded(monitor: &MonitorId, rows: HotRows) -> Vec<Stored> {
    rows.into_iter().filter_map(|(at, data)| codec::decode(monitor, UnixMillis(at), &data).ok()).flatten().collect()
}
