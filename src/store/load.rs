//! What a start needs, read in one go.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;

use rusqlite::Connection;
use rusqlite::OptionalExtension;

use crate::model::change::MonitorState;
use crate::model::change::Streak;
use crate::model::id::MonitorId;
use crate::model::incident::Epoch;
use crate::model::incident::Lane;
use crate::model::result::RecentResults;
use crate::model::time::UnixMillis;
use crate::model::verdict::Opinion;
use crate::model::verdict::OpinionState;
use crate::model::verdict::Verdict;
use crate::store::Loaded;
use crate::store::change;
use crate::store::change::LaneEpoch;
use crate::store::fact;
use crate::store::history::codec;
use crate::store::history::codec::Stored;
use crate::store::history::read;
use crate::store::ping;
use crate::store::rows::Unreadable;
use crate::store::rows::readable;

/// Results of each monitor that are given back.
const RECENT_MAX: usize = 60;

/// When a monitor has more hot results than this, all but the newest are let go while reading on.
const RECENT_SLACK: usize = 4 * RECENT_MAX;

/// Reads it.
pub(super) fn load(conn: &Connection, now: UnixMillis) -> rusqlite::Result<Loaded> {
    let last_alive = conn.prepare_cached("SELECT at FROM alive")?.query_row([], |row| row.get(0)).optional()?.map(UnixMillis);
    let states = consistent(change::states(conn)?, change::epochs(conn)?, last_alive.unwrap_or(now));
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
    let beats = ping::states(conn)?;
    Ok(Loaded {
        unfed: ping::unfed(conn, &beats)?,
        last_ping: ping::last(conn)?,
        beats,
        states: states.into_iter().map(|(_, state)| state).collect(),
        recent,
        incidents: change::open_incidents(conn)?,
        facts: fact::all(conn)?,
        last_alive,
    })
}

/// Sees to it that no epoch is behind the incidents that are kept, as it is when states were lost to damage and incidents were not:
/// the next outage would get the id of an old one and its messages the keys of old ones, and nobody would hear of it.
///
/// The rule: an epoch is at least that of the newest incident of its monitor and lane, and beyond it once that incident is closed. It is
/// never lowered. A monitor that has incidents and no readable state gets one of which nothing but the epochs is known.
///
/// An open incident that is older than its lane's epoch is an orphan. It stays open and is given out as such, because what ended it is
/// not known; whoever takes it tells it by its `epoch`, which is not the one of the state.
fn consistent(mut states: Vec<(i64, MonitorState)>, epochs: Vec<LaneEpoch>, since: UnixMillis) -> Vec<(i64, MonitorState)> {
    let mut places: HashMap<i64, usize> = states.iter().enumerate().map(|(i, (key, _))| (*key, i)).collect();
    for LaneEpoch { key, monitor, lane, epoch } in epochs {
        let i = *places.entry(key).or_insert_with(|| {
            tracing::warn!(%monitor, "the state of `{monitor}` is lost; its incidents are not");
            states.push((key, unknown(monitor, since)));
            states.len() - 1
        });
        let state = &mut states[i].1;
        let held = match lane {
            Lane::Outage => &mut state.outage,
            Lane::Degradation => &mut state.degradation,
            Lane::Regional => &mut state.regional,
        };
        *held = epoch.max(*held);
    }
    states.sort_by(|(_, a), (_, b)| a.monitor.cmp(&b.monitor));
    states
}

/// The state of a monitor of which nothing is known.
fn unknown(monitor: MonitorId, since: UnixMillis) -> MonitorState {
    MonitorState {
        monitor,
        probe_hash: 0,
        opinion: Opinion { state: OpinionState::Unknown, since, failure: None },
        streak: Streak::default(),
        verdict: Verdict::Unknown,
        verdict_since: since,
        outage: Epoch::default(),
        degradation: Epoch::default(),
        regional: Epoch::default(),
        paused_at: None,
        told: BTreeSet::new(),
        alerts: Vec::new(),
        owed_end: None,
        remote: None,
        warned: None,
    }
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
