//! Writing a state change, and reading back what state changes left: states, verdicts, incidents.
//!
//! Everything here may be done twice with the same effect as once: after a commit that failed in the system's hands nobody can
//! know whether it is on the disk, and the same change comes again.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;

use crate::model::change::MonitorState;
use crate::model::change::StateChange;
use crate::model::change::VerdictChange;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::incident::Closed;
use crate::model::incident::Epoch;
use crate::model::incident::Incident;
use crate::model::incident::Lane;
use crate::model::time::UnixMillis;
use crate::store::IncidentFilter;
use crate::store::desk::Desk;
use crate::store::desk::key_of;
use crate::store::fact;
use crate::store::outbox;
use crate::store::ping;
use crate::store::row;
use crate::store::rows::Unreadable;
use crate::store::rows::readable;

/// Incidents of one answer when the filter does not say.
const INCIDENTS_DEFAULT: usize = 100;

/// Writes all of a change; the caller's savepoint makes it all or nothing.
pub(super) fn write(desk: &mut Desk, change: &StateChange, n_pings: u32) -> rusqlite::Result<()> {
    let StateChange { states, verdicts, opened, closed, amended, notifications, facts, beats, pings } = change;
    for state in states {
        let key = desk.key(&state.monitor)?;
        desk.conn
            .prepare_cached("INSERT INTO monitor_states (monitor, state) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET state = excluded.state")?
            .execute((key, row::state::to_json(state)))?;
    }
    for verdict in verdicts {
        let key = desk.key(&verdict.monitor)?;
        desk.conn.prepare_cached("INSERT OR REPLACE INTO verdicts (monitor, at, verdict) VALUES (?1, ?2, ?3)")?.execute((
            key,
            verdict.at.0,
            verdict.verdict.word(),
        ))?;
    }
    for incident in opened {
        open(desk, incident)?;
    }
    for (id, end) in closed {
        close(desk, id, *end)?;
    }
    for incident in amended {
        amend(desk, incident)?;
    }
    for notification in notifications {
        outbox::owe(desk, notification)?;
    }
    for fact in facts {
        fact::put(desk, fact)?;
    }
    ping::put_states(desk, beats)?;
    ping::put(desk, pings, n_pings)
}

pub(super) fn open(desk: &mut Desk, incident: &Incident) -> rusqlite::Result<()> {
    let Incident {
        id,
        monitor,
        monitor_name,
        lane,
        epoch,
        opened_at,
        confirmed_at,
        closed,
        cause,
        regions,
        confidence,
        diagnosis,
        evidence,
    } = incident;
    let key = desk.key(monitor)?;
    let n = desk
        .conn
        .prepare_cached(
            "INSERT INTO incidents (id, monitor, monitor_name, lane, epoch, opened_at, confirmed_at, cause, regions, confidence, evidence, diagnosis)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT (id) DO NOTHING",
        )?
        .execute((
            id.as_str(),
            key,
            monitor_name,
            lane.word(),
            epoch.0.cast_signed(),
            opened_at.0,
            confirmed_at.0,
            row::failure::to_json(cause),
            row::incident::regions_to_json(regions),
            row::incident::confidence_word(*confidence),
            row::incident::lines_to_json(evidence),
            diagnosis.map(row::incident::diagnosis_word),
        ))?;
    if n == 0
        && let Some(other) = opened_at_of(&desk.conn, id)?.filter(|other| !outbox::is_same_beginning(*other, *opened_at))
    {
        let (since, other) = (opened_at.rfc3339(), other.rfc3339());
        tracing::error!(incident = %id, "incident `{id}` of `{monitor}` since {since} is not kept: another one since {other} has its id");
    }
    closed.map_or(Ok(()), |end| close(desk, id, end))
}

/// When the incident that has this id opened. An incident that comes twice is the same; two that share an id are not, and then
/// epochs were lost.
pub(super) fn opened_at_of(conn: &Connection, id: &IncidentId) -> rusqlite::Result<Option<UnixMillis>> {
    let mut select = conn.prepare_cached("SELECT opened_at FROM incidents WHERE id = ?1")?;
    Ok(select.query_row([id.as_str()], |row| row.get(0)).optional()?.map(UnixMillis))
}

/// The first end of an incident stands.
fn close(desk: &Desk, id: &IncidentId, end: Closed) -> rusqlite::Result<()> {
    let n = desk
        .conn
        .prepare_cached("UPDATE incidents SET closed_at = ?2, close_reason = ?3 WHERE id = ?1 AND closed_at IS NULL")?
        .execute((id.as_str(), end.at.0, end.how.word()))?;
    if n == 0 {
        tracing::debug!(incident = %id, "incident `{id}` is not open here");
    }
    Ok(())
}

/// Gives an incident the times that are known now. Only ever wider: an earlier beginning, a later end.
fn amend(desk: &Desk, incident: &Incident) -> rusqlite::Result<()> {
    desk.conn
        .prepare_cached(
            "UPDATE incidents SET opened_at = min(opened_at, ?2),
                 closed_at = CASE WHEN ?3 IS NULL THEN closed_at ELSE max(coalesce(closed_at, ?3), ?3) END,
                 close_reason = coalesce(close_reason, ?4)
             WHERE id = ?1",
        )?
        .execute((
            incident.id.as_str(),
            incident.opened_at.0,
            incident.closed.map(|closed| closed.at.0),
            incident.closed.map(|closed| closed.how.word()),
        ))?;
    Ok(())
}

/// States of all monitors that have one, with their keys.
pub(super) fn states(conn: &Connection) -> rusqlite::Result<Vec<(i64, MonitorState)>> {
    let mut select =
        conn.prepare_cached("SELECT m.key, m.id, s.state FROM monitor_states s JOIN monitors m ON m.key = s.monitor ORDER BY m.id")?;
    readable(&mut select.query([])?, "state of a monitor", |row| {
        let monitor = MonitorId::parse(&row.get::<_, String>(1)?)?;
        Ok((row.get(0)?, row::state::from_json(monitor, &row.get::<_, String>(2)?)?))
    })
}

/// A lane of a monitor, and the least epoch it can be in after the incidents that are kept of it.
#[derive(Debug)]
pub(super) struct LaneEpoch {
    pub(super) key: i64,
    pub(super) monitor: MonitorId,
    pub(super) lane: Lane,
    pub(super) epoch: Epoch,
}

/// The lanes of all monitors that have incidents. An open incident says that its epoch has come, a closed one the epoch after it.
pub(super) fn epochs(conn: &Connection) -> rusqlite::Result<Vec<LaneEpoch>> {
    // What is beyond 2^53 is a flipped bit: nothing changes that often.
    let mut select = conn.prepare_cached(
        "SELECT m.key, m.id, i.lane, max((i.epoch | 1) + (i.closed_at IS NOT NULL))
         FROM incidents i JOIN monitors m ON m.key = i.monitor WHERE i.epoch BETWEEN 1 AND 9007199254740992 GROUP BY m.key, i.lane",
    )?;
    readable(&mut select.query([])?, "epoch", |row| {
        Ok(LaneEpoch {
            key: row.get(0)?,
            monitor: MonitorId::parse(&row.get::<_, String>(1)?)?,
            lane: row::incident::lane_of(&row.get::<_, String>(2)?)?,
            epoch: Epoch(row.get::<_, i64>(3)?.cast_unsigned()),
        })
    })
}

/// Verdicts of a stretch, the one that held at its beginning included, in time order.
pub(super) fn verdicts(
    conn: &Connection,
    monitors: &[MonitorId],
    from: UnixMillis,
    to: UnixMillis,
) -> rusqlite::Result<Vec<VerdictChange>> {
    let mut select = conn.prepare_cached(
        "SELECT at, verdict FROM verdicts WHERE monitor = ?1 AND at < ?3
         AND coalesce((SELECT max(at) FROM verdicts WHERE monitor = ?1 AND at <= ?2), ?2) <= at",
    )?;
    let mut all = Vec::new();
    for monitor in monitors {
        let Some(key) = key_of(conn, monitor)? else { continue };
        all.extend(readable(&mut select.query((key, from.0, to.0))?, "verdict", |row| {
            let verdict = row::state::verdict_of(&row.get::<_, String>(1)?)?;
            Ok(VerdictChange { monitor: monitor.clone(), at: UnixMillis(row.get(0)?), verdict })
        })?);
    }
    all.sort_by_key(|change| change.at);
    Ok(all)
}

const COLUMNS: &str = "i.id, m.id, i.monitor_name, i.lane, i.epoch, i.opened_at, i.confirmed_at, i.closed_at, i.close_reason, \
                       i.cause, i.regions, i.confidence, i.evidence, i.diagnosis";

fn incident_of(row: &Row<'_>) -> Result<Incident, Unreadable> {
    let text = |i: usize| row.get::<_, String>(i);
    let closed_at: Option<i64> = row.get(7)?;
    let how: Option<String> = row.get(8)?;
    let closed = match (closed_at, how) {
        (Some(at), Some(how)) => Some(Closed { at: UnixMillis(at), how: row::incident::close_reason_of(&how)? }),
        _ => None,
    };
    Ok(Incident {
        id: IncidentId::from_derived(&text(0)?),
        monitor: MonitorId::parse(&text(1)?)?,
        monitor_name: text(2)?,
        lane: row::incident::lane_of(&text(3)?)?,
        epoch: Epoch(row.get::<_, i64>(4)?.cast_unsigned()),
        opened_at: UnixMillis(row.get(5)?),
        confirmed_at: UnixMillis(row.get(6)?),
        closed,
        cause: row::failure::from_json(&text(9)?),
        regions: row::incident::regions_from_json(&text(10)?)?,
        confidence: row::incident::confidence_of(&text(11)?)?,
        evidence: row::incident::lines_from_json(&text(12)?)?,
        diagnosis: row.get::<_, Option<String>>(13)?.as_deref().and_then(row::incident::diagnosis_of),
    })
}

/// Open incidents, oldest first.
pub(super) fn open_incidents(conn: &Connection) -> rusqlite::Result<Vec<Incident>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM incidents i JOIN monitors m ON m.key = i.monitor WHERE i.closed_at IS NULL ORDER BY i.opened_at, i.id"
    );
    readable(&mut conn.prepare_cached(&sql)?.query([])?, "incident", incident_of)
}

/// Incidents, newest first.
pub(super) fn incidents(conn: &Connection, filter: &IncidentFilter) -> rusqlite::Result<Vec<Incident>> {
    let limit = if filter.limit == 0 { INCIDENTS_DEFAULT } else { filter.limit };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let since = filter.since.map_or(i64::MIN, |at| at.0);
    let (before, before_id) = filter.before.as_ref().map_or((i64::MAX, ""), |(at, id)| (at.0, id.as_str()));
    let wanted = (since, limit, filter.is_over, before, before_id);
    let beyond = "(i.closed_at IS NULL OR ?1 < i.closed_at) AND (NOT ?3 OR i.closed_at IS NOT NULL) AND (i.opened_at, i.id) < (?4, ?5)";
    let order = "ORDER BY i.opened_at DESC, i.id DESC LIMIT ?2";
    let Some(monitors) = &filter.monitors else {
        let sql = format!("SELECT {COLUMNS} FROM incidents i JOIN monitors m ON m.key = i.monitor WHERE {beyond} {order}");
        return readable(&mut conn.prepare_cached(&sql)?.query(wanted)?, "incident", incident_of);
    };
    // One walk of the monitor's index each: monitors of a page are few, incidents of years are many.
    let sql = format!("SELECT {COLUMNS} FROM incidents i JOIN monitors m ON m.key = i.monitor WHERE i.monitor = ?6 AND {beyond} {order}");
    let mut select = conn.prepare_cached(&sql)?;
    let mut found = Vec::new();
    for monitor in monitors {
        let Some(key) = key_of(conn, monitor)? else { continue };
        let (since, limit, is_over, before, before_id) = wanted;
        found.extend(readable(&mut select.query((since, limit, is_over, before, before_id, key))?, "incident", incident_of)?);
    }
    found.sort_by(|a, b| (b.opened_at, &b.id).cmp(&(a.opened_at, &a.id)));
    found.dedup_by(|a, b| a.id == b.id);
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

/// One incident.
pub(super) fn incident(conn: &Connection, id: &IncidentId) -> rusqlite::Result<Option<Incident>> {
    let sql = format!("SELECT {COLUMNS} FROM incidents i JOIN monitors m ON m.key = i.monitor WHERE i.id = ?1");
    Ok(readable(&mut conn.prepare_cached(&sql)?.query([id.as_str()])?, "incident", incident_of)?.pop())
}
