//! The log of pings, and the states of heartbeats that follow from it.
//!
//! Entries are numbered by heartbeat. Only the newest are kept, and the older ones go with the same transaction that writes a new one,
//! so that a flood costs writes but never room.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;

use crate::model::heartbeat::PingStamp;
use crate::model::id::MonitorId;
use crate::model::id::NodeName;
use crate::model::ping::Arrival;
use crate::model::ping::BeatState;
use crate::model::ping::Meaning;
use crate::model::ping::PingEntry;
use crate::model::time::UnixMillis;
use crate::store::desk::Desk;
use crate::store::desk::key_of;
use crate::store::row;
use crate::store::rows::Unreadable;
use crate::store::rows::readable;
use std::collections::BTreeMap;
use std::time::Duration;

/// Writes entries, and forgets those beyond the newest `n_kept` of each heartbeat. An entry that is there already stays as it is.
pub(super) fn put<'a>(desk: &mut Desk, entries: impl IntoIterator<Item = &'a PingEntry>, n_kept: u32) -> rusqlite::Result<()> {
    let mut newest: BTreeMap<i64, i64> = BTreeMap::new();
    for entry in entries {
        let key = desk.key(&entry.heartbeat)?;
        let before = match newest.get(&key) {
            Some(number) => *number,
            None => newest_number(&desk.conn, key)?,
        };
        let n = insert(desk, (key, before + 1), entry)?;
        newest.insert(key, before + i64::from(n > 0));
    }
    for (key, number) in newest {
        desk.conn.prepare_cached("DELETE FROM pings WHERE monitor = ?1 AND number <= ?2")?.execute((key, number - i64::from(n_kept)))?;
    }
    Ok(())
}

fn newest_number(conn: &Connection, key: i64) -> rusqlite::Result<i64> {
    let mut select = conn.prepare_cached("SELECT coalesce(max(number), 0) FROM pings WHERE monitor = ?1")?;
    select.query_row([key], |row| row.get(0))
}

fn insert(desk: &Desk, (key, number): (i64, i64), entry: &PingEntry) -> rusqlite::Result<usize> {
    let PingEntry { heartbeat: _, number: _, stamp, meaning, exit, run, took, is_repeat, arrival, body, body_bytes } = entry;
    let ignored = match meaning {
        Meaning::Ping(_) => None,
        Meaning::Ignored(why) => Some(why.word()),
    };
    let took = took.map(|took| i64::try_from(took.as_millis()).unwrap_or(i64::MAX));
    let address = arrival.as_ref().and_then(|arrival| arrival.address).map(|address| address.to_string());
    let values = rusqlite::params![
        key,
        number,
        stamp.at.0,
        stamp.sequence.cast_signed(),
        stamp.node.as_str(),
        meaning.word(),
        ignored,
        exit,
        run.as_ref().map(|run| run.as_str()),
        took,
        is_repeat,
        arrival.as_ref().map(|arrival| arrival.method.as_str()),
        address,
        arrival.as_ref().and_then(|arrival| arrival.agent.as_deref()),
        body_bytes.cast_signed(),
        (!body.is_empty()).then_some(body),
    ];
    desk.conn
        .prepare_cached(
            "INSERT INTO pings (monitor, number, at, sequence, node, kind, ignored, exit, run, took_ms, is_repeat, method, address, agent,
                 body_bytes, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) ON CONFLICT DO NOTHING",
        )?
        .execute(values)
}

/// Writes states; of several of one heartbeat the last counts.
pub(super) fn put_states(desk: &mut Desk, states: &[BeatState]) -> rusqlite::Result<()> {
    let mut newest: BTreeMap<&MonitorId, &BeatState> = BTreeMap::new();
    newest.extend(states.iter().map(|state| (&state.heartbeat, state)));
    for (heartbeat, state) in newest {
        let key = desk.key(heartbeat)?;
        desk.conn
            .prepare_cached("INSERT INTO heartbeats (monitor, state) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET state = excluded.state")?
            .execute((key, row::heartbeat::to_json(state)))?;
    }
    Ok(())
}

/// States of all heartbeats.
pub(super) fn states(conn: &Connection) -> rusqlite::Result<Vec<BeatState>> {
    let mut select = conn.prepare_cached("SELECT m.id, h.state FROM heartbeats h JOIN monitors m ON m.key = h.monitor ORDER BY m.id")?;
    readable(&mut select.query([])?, "state of a heartbeat", |row| {
        let monitor = MonitorId::parse(&row.get::<_, String>(0)?)?;
        Ok(row::heartbeat::from_json(monitor, &row.get::<_, String>(1)?)?)
    })
}

const COLUMNS: &str = "m.id, p.number, p.at, p.sequence, p.node, p.kind, p.ignored, p.exit, p.run, p.took_ms, p.is_repeat, p.method, \
                       p.address, p.agent, p.body_bytes, p.body";

fn entry_of(row: &Row<'_>) -> Result<PingEntry, Unreadable> {
    let text = |i: usize| row.get::<_, Option<String>>(i);
    let (kind, ignored) = (row.get::<_, String>(5)?, text(6)?);
    let is_it = |meaning: &Meaning| match meaning {
        Meaning::Ping(kind_of_it) => ignored.is_none() && kind_of_it.word() == kind,
        Meaning::Ignored(why) => ignored.as_deref() == Some(why.word()),
    };
    let meaning = Meaning::ALL.into_iter().find(is_it);
    let meaning = meaning.ok_or_else(|| Unreadable(format!("`{kind}` is not a kind of ping")))?;
    let arrival = text(11)?.map(|method| -> Result<Arrival, Unreadable> {
        Ok(Arrival { method, address: text(12)?.and_then(|address| address.parse().ok()), agent: text(13)? })
    });
    Ok(PingEntry {
        heartbeat: MonitorId::parse(&row.get::<_, String>(0)?)?,
        number: row.get::<_, i64>(1)?.cast_unsigned(),
        stamp: PingStamp {
            at: UnixMillis(row.get(2)?),
            sequence: row.get::<_, i64>(3)?.cast_unsigned(),
            node: NodeName::parse(&row.get::<_, String>(4)?)?,
        },
        meaning,
        exit: row.get(7)?,
        run: row::heartbeat::run_of(text(8)?)?,
        took: row.get::<_, Option<i64>>(9)?.map(|took| Duration::from_millis(took.cast_unsigned())),
        is_repeat: row.get(10)?,
        arrival: arrival.transpose()?,
        body: row.get::<_, Option<Vec<u8>>>(15)?.unwrap_or_default(),
        body_bytes: row.get::<_, i64>(14)?.cast_unsigned(),
    })
}

/// The newest entries of a heartbeat, newest first.
pub(super) fn newest(conn: &Connection, heartbeat: &MonitorId, limit: usize) -> rusqlite::Result<Vec<PingEntry>> {
    let Some(key) = key_of(conn, heartbeat)? else { return Ok(Vec::new()) };
    let sql =
        format!("SELECT {COLUMNS} FROM pings p JOIN monitors m ON m.key = p.monitor WHERE p.monitor = ?1 ORDER BY p.number DESC LIMIT ?2");
    readable(&mut conn.prepare_cached(&sql)?.query((key, i64::try_from(limit).unwrap_or(i64::MAX)))?, "ping", entry_of)
}

/// The newest number of each heartbeat. One step down the index for each, however long their logs are.
pub(super) fn numbers(conn: &Connection) -> rusqlite::Result<BTreeMap<MonitorId, u64>> {
    let sql = "SELECT id, (SELECT max(number) FROM pings WHERE monitor = key) AS newest FROM monitors WHERE newest IS NOT NULL";
    let mut select = conn.prepare_cached(sql)?;
    let found = readable(&mut select.query([])?, "number of pings", |row| {
        Ok((MonitorId::parse(&row.get::<_, String>(0)?)?, row.get::<_, i64>(1)?.cast_unsigned()))
    })?;
    Ok(found.into_iter().collect())
}

/// One entry.
pub(super) fn one(conn: &Connection, heartbeat: &MonitorId, number: u64) -> rusqlite::Result<Option<PingEntry>> {
    let Some(key) = key_of(conn, heartbeat)? else { return Ok(None) };
    let sql = format!("SELECT {COLUMNS} FROM pings p JOIN monitors m ON m.key = p.monitor WHERE p.monitor = ?1 AND p.number = ?2");
    Ok(readable(&mut conn.prepare_cached(&sql)?.query((key, number.cast_signed()))?, "ping", entry_of)?.pop())
}

/// Entries of a heartbeat that are newer than a sequence, oldest first, without their bodies.
pub(super) fn unfed(conn: &Connection, states: &[BeatState]) -> rusqlite::Result<Vec<PingEntry>> {
    let fed: BTreeMap<&MonitorId, u64> = states.iter().map(|state| (&state.heartbeat, state.fed_until)).collect();
    let columns = COLUMNS.replace("p.body_bytes, p.body", "p.body_bytes, NULL");
    let sql = format!(
        "SELECT {columns} FROM pings p JOIN monitors m ON m.key = p.monitor
         WHERE p.monitor = ?1 AND ?2 < p.sequence AND p.ignored IS NULL AND p.method IS NOT NULL ORDER BY p.number"
    );
    let mut logged = conn.prepare_cached("SELECT key, id FROM monitors WHERE EXISTS (SELECT 1 FROM pings WHERE monitor = key)")?;
    let logged: Vec<(i64, String)> = logged.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    let mut select = conn.prepare_cached(&sql)?;
    let mut unfed = Vec::new();
    for (key, id) in logged {
        let from = MonitorId::parse(&id).ok().and_then(|id| fed.get(&id).copied()).unwrap_or(0);
        unfed.extend(readable(&mut select.query((key, from.cast_signed()))?, "ping", entry_of)?);
    }
    Ok(unfed)
}

/// The highest sequence that this node has given, and when it last received a ping.
pub(super) fn last(conn: &Connection) -> rusqlite::Result<Option<(u64, UnixMillis)>> {
    let mut select = conn.prepare_cached("SELECT max(sequence), max(at) FROM pings WHERE method IS NOT NULL")?;
    let found: Option<(Option<i64>, Option<i64>)> = select.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(found.and_then(|(sequence, at)| Some((sequence?.cast_unsigned(), UnixMillis(at?)))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ping::Ignored;

    #[test]
    fn every_meaning_has_a_word_of_its_own() {
        let words: std::collections::BTreeSet<(&str, Option<&str>)> = Meaning::ALL
            .into_iter()
            .map(|meaning| match meaning {
                Meaning::Ping(kind) => (kind.word(), None),
                Meaning::Ignored(why @ (Ignored::Held | Ignored::Method | Ignored::NoKeyword)) => (meaning.word(), Some(why.word())),
            })
            .collect();
        assert_eq!(words.len(), Meaning::ALL.len());
    }
}
