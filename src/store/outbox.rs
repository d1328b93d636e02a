//! Messages owed: written with the change that makes them owed, leased for sending, noted as sent afterwards.
//!
//! A crash between sending and noting repeats a message rather than losing it. Within one channel and monitor the oldest unsent
//! message holds back the later ones, so that a recovery never overtakes its outage; the same with notices about one thing of vigilmon's own.

use std::time::Duration;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;

use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::incident::Lane;
use crate::model::notification::EventKind;
use crate::model::notification::Notification;
use crate::model::notification::Opening;
use crate::model::notification::ServiceId;
use crate::model::notification::Subject;
use crate::model::time::UnixMillis;
use crate::store::Attempt;
use crate::store::Delivery;
use crate::store::DeliveryFilter;
use crate::store::DeliveryState;
use crate::store::Mark;
use crate::store::OutboxRow;
use crate::store::Revived;
use crate::store::attempt;
use crate::store::channel;
use crate::store::desk::Desk;
use crate::store::row::message;
use crate::store::rows::Unreadable;
use crate::store::rows::readable;

/// Most rows: a day of a hundred monitors that flap every minute. Beyond it the log of what was sent goes first, then waiting
/// reminders, the oldest first; a message about a change is never dropped.
pub(super) const ROWS_MAX: i64 = 100_000;

/// How long sent and dead messages stay in the log.
pub(super) const LOG_MAX: Duration = Duration::from_secs(30 * 86_400);

/// A row that waits for longer than this was dated by a clock that was wrong: nobody asks for more than an hour.
const WAIT_MAX: Duration = Duration::from_secs(2 * 3600);

/// Rows that one transaction of maintenance deletes at most.
const SLICE_ROWS: i64 = 500;

/// Deliveries of one answer at most.
const DELIVERIES_MAX: usize = 1000;

/// Adds a message; one whose key is there already is the same message.
pub(super) fn owe(desk: &Desk, notification: &Notification) -> rusqlite::Result<()> {
    let Notification { key, channel, event, at, subject, may_be_repeat: _ } = notification;
    let (queue, incident) = match subject {
        Subject::Incident(facts) | Subject::Passed(facts) => (facts.monitor.as_str(), Some(facts.incident.as_str())),
        Subject::SelfNotice { .. } | Subject::Bundle(_) => (notice_queue(key), None),
    };
    let json = message::to_json(subject);
    let mut insert = desk.conn.prepare_cached(
        "INSERT INTO outbox (key, channel, queue, event, incident, at, subject, due_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6) ON CONFLICT (key) DO NOTHING",
    )?;
    let n = insert.execute((key, channel.as_str(), queue, event.word(), incident, at.0, &json))?;
    if n == 0
        && let Subject::Incident(facts) = subject
        && is_another(&desk.conn, key, facts.started_at)?
    {
        tracing::error!(key, "message `{key}` has the key of one about an older incident; it is sent all the same");
        let key = format!("{key}-{}", facts.started_at.0);
        insert.execute((key, channel.as_str(), queue, event.word(), incident, at.0, &json))?;
    }
    // Whom an older one has not reached is tried once more, and then this one is told: it must not wait for a single recipient.
    desk.conn
        .prepare_cached(
            "UPDATE outbox SET due_at = min(due_at, ?3)
             WHERE state = 'waiting' AND channel = ?1 AND queue = ?2 AND remaining IS NOT NULL AND leased = 0",
        )?
        .execute((channel.as_str(), queue, at.0))?;
    Ok(())
}

/// The queue of a notice about vigilmon itself: what it is about, which its key begins with. So the end of a trouble does not overtake its
/// beginning, and what is about something else waits for nothing. No monitor has a colon in its id.
fn notice_queue(key: &str) -> &str {
    key.rsplit_once(':').map_or(key, |(about, _)| about)
}

/// Nodes that see one incident say that it began at slightly different times: they confirm at their own pace. What begins further
/// apart is not the same.
const SAME_WITHIN: Duration = Duration::from_secs(600);

/// Whether two times may be the beginning of one incident.
pub(super) fn is_same_beginning(one: UnixMillis, other: UnixMillis) -> bool {
    one.since(other).max(other.since(one)) <= SAME_WITHIN
}

/// Whether the message that has a key is about an incident that began at another time. Keys are made of epochs, and epochs may have
/// been lost to damage together with the incidents that would have told them.
fn is_another(conn: &Connection, key: &str, started_at: UnixMillis) -> rusqlite::Result<bool> {
    let there: String = conn.prepare_cached("SELECT subject FROM outbox WHERE key = ?1")?.query_row([key], |row| row.get(0))?;
    Ok(matches!(message::from_json(&there), Ok(Subject::Incident(facts)) if !is_same_beginning(facts.started_at, started_at)))
}

/// What leased rows were about to say may have arrived: under their own keys, or that of a row behind them.
const DOUBT_LEASED: &str = "UPDATE outbox SET unsure = 1 WHERE id IN (SELECT coalesce(told, id) FROM outbox WHERE leased = 1";

/// Voids all leases.
pub(super) fn reset_leases(desk: &Desk) -> rusqlite::Result<()> {
    desk.step(&format!("{DOUBT_LEASED})"))?;
    desk.step("UPDATE outbox SET leased = 0, told = NULL, due_at = at WHERE leased = 1")
}

/// Of every queue of a channel the oldest unsent row.
const HEADS: &str = "SELECT min(id) AS id FROM outbox WHERE state = 'waiting' AND channel = ?1 GROUP BY queue";

/// Whether the opening of an incident was given up for a channel, and no other opening of it arrived there.
const OPENING_LOST: &str = "SELECT count(*) > 0 AND sum(state = 'sent') = 0 FROM outbox
    WHERE incident = ?1 AND channel = ?2 AND event IN ('down', 'degraded', 'regional', 'certificate')";

/// Rows that are looked at behind one that was claimed. Of an incident that lasts there are a beginning, an end, and reminders that
/// come ever more seldom; what is beyond is looked at in the next round.
const BEHIND_MAX: i64 = 64;

/// What a claim asks for.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) channel: ChannelName,
    pub(super) now: UnixMillis,
    pub(super) lease: Duration,
    pub(super) limit: usize,
}

/// Leases due rows.
pub(super) fn claim(desk: &Desk, claim: &Claim) -> rusqlite::Result<Vec<OutboxRow>> {
    let sql = format!(
        "UPDATE outbox SET leased = 1, told = NULL, due_at = ?3 WHERE state = 'waiting' AND id IN (
             SELECT o.id FROM ({HEADS}) AS head JOIN outbox o ON o.id = head.id WHERE o.due_at <= ?2 ORDER BY o.id LIMIT ?4)
         RETURNING id, n_attempts, key, event, at, subject, again_at, queue, unsure, remaining"
    );
    // Whoever held a lease that is over may have sent it.
    desk.conn
        .prepare_cached(&format!("{DOUBT_LEASED} AND channel = ?1 AND due_at <= ?2)"))?
        .execute((claim.channel.as_str(), claim.now.0))?;
    let limit = i64::try_from(claim.limit).unwrap_or(i64::MAX);
    let until = claim.now + claim.lease;
    let mut update = desk.conn.prepare_cached(&sql)?;
    let mut rows = update.query((claim.channel.as_str(), claim.now.0, until.0, limit))?;
    let mut claimed = Vec::new();
    let mut unreadable = Vec::new();
    while let Some(row) = rows.next()? {
        match outbox_row(&claim.channel, row) {
            Ok(mut found) => {
                found.notification.may_be_repeat = row.get(8)?;
                // What cannot be read is told to all once more.
                let remaining: Option<String> = row.get(9)?;
                found.remaining = remaining.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
                claimed.push((found, row.get::<_, String>(7)?));
            }
            Err(Unreadable(why)) => unreadable.push((row.get::<_, i64>(0)?, why)),
        }
    }
    drop(rows);
    for (id, why) in unreadable {
        // It would hold back all later ones for ever.
        tracing::error!(error = why, "a stored message to `{}` cannot be read and is given up: {why}", claim.channel);
        dead(desk, id, claim.now, (&format!("the stored message cannot be read: {why}"), false, None))?;
    }
    claimed.sort_by_key(|(row, _)| row.id);
    claimed.into_iter().map(|(row, queue)| with_company(&desk.conn, row, &queue)).collect()
}

/// What waits behind a row about the same incident, or about the outage that its degradation became; and whether the incident that it
/// ends was ever told of.
fn with_company(conn: &Connection, mut row: OutboxRow, queue: &str) -> rusqlite::Result<OutboxRow> {
    if !row.remaining.is_empty() {
        row.is_overtaken = conn
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM outbox WHERE state = 'waiting' AND channel = ?1 AND queue = ?2 AND ?3 < id)")?
            .query_row((row.notification.channel.as_str(), queue, row.id), |row| row.get(0))?;
    }
    let Notification { channel, event, subject, .. } = &row.notification;
    // Of messages about vigilmon itself each is told.
    let Subject::Incident(facts) = subject else { return Ok(row) };
    if !event.opens() {
        row.opening = opening(conn, (facts.incident.as_str(), channel.as_str()))?;
    }
    if *event == EventKind::Recovered {
        let of = (facts.incident.as_str(), channel.as_str());
        let lost = conn.prepare_cached(OPENING_LOST)?.query_row(of, |row| row.get(0))?;
        row.is_opening_lost = lost;
    }
    let mut select = conn.prepare_cached(
        "SELECT id, n_attempts, key, event, at, subject, again_at, incident, unsure FROM outbox
         WHERE state = 'waiting' AND channel = ?1 AND queue = ?2 AND ?3 < id ORDER BY id LIMIT ?4",
    )?;
    let mut rows = select.query((channel.as_str(), queue, row.id, BEHIND_MAX))?;
    let (mut incident, mut may_get_worse) = (facts.incident.clone(), facts.lane == Lane::Degradation);
    while let Some(found) = rows.next()? {
        // What is about something else is never told in one with this, and reading it costs more than finding it.
        let about: Option<String> = found.get(7)?;
        if about.as_deref() != Some(incident.as_str()) {
            let is_worse = may_get_worse && found.get_ref(3)?.as_str().is_ok_and(|word| word == EventKind::Down.word());
            let Some(about) = about.filter(|_| is_worse) else { break };
            (incident, may_get_worse) = (IncidentId::from_derived(&about), false);
        }
        // One that cannot be read is met, and given up, when its turn comes; what is behind it waits until then.
        let Ok(mut behind) = outbox_row(&row.notification.channel, found) else { break };
        behind.notification.may_be_repeat = found.get(8)?;
        row.behind.push(behind);
    }
    drop(rows);
    Ok(row)
}

/// Of an incident and a channel the message that told of it first; the one that has a name at the service, if any has.
const OPENING: &str = "SELECT key, called FROM outbox
    WHERE incident = ?1 AND channel = ?2 AND state = 'sent' AND event IN ('down', 'degraded', 'regional', 'certificate')
    ORDER BY called IS NULL, id LIMIT 1";

/// The message that told of an incident first, of those that arrived at a channel.
pub(super) fn opening(conn: &Connection, of: (&str, &str)) -> rusqlite::Result<Option<Opening>> {
    let found = conn.prepare_cached(OPENING)?.query_row(of, |row| Ok((row.get(0)?, row.get::<_, Option<String>>(1)?))).optional()?;
    Ok(found.map(|(key, called)| Opening { key, called: called.as_deref().and_then(ServiceId::parse) }))
}

fn outbox_row(channel: &ChannelName, row: &Row<'_>) -> Result<OutboxRow, Unreadable> {
    let event: EventKind = message::event_of(&row.get::<_, String>(3)?)?;
    Ok(OutboxRow {
        id: row.get(0)?,
        n_attempts: row.get(1)?,
        owed_since: UnixMillis(row.get::<_, Option<i64>>(6)?.map_or_else(|| row.get(4), Ok)?),
        notification: Notification {
            key: row.get(2)?,
            channel: channel.clone(),
            event,
            at: UnixMillis(row.get(4)?),
            subject: message::from_json(&row.get::<_, String>(5)?)?,
            may_be_repeat: false,
        },
        remaining: Vec::new(),
        is_overtaken: false,
        is_opening_lost: false,
        opening: None,
        behind: Vec::new(),
    })
}

/// When the channel's next row is due.
pub(super) fn next_due(conn: &Connection, channel: &ChannelName) -> rusqlite::Result<Option<UnixMillis>> {
    let sql = format!("SELECT min(o.due_at) FROM ({HEADS}) AS head JOIN outbox o ON o.id = head.id");
    let due: Option<i64> = conn.prepare_cached(&sql)?.query_row([channel.as_str()], |row| row.get(0))?;
    Ok(due.map(UnixMillis))
}

/// Notes of claimed rows, before an attempt, which ones behind them it tells under their own keys.
pub(super) fn tells(desk: &Desk, pairs: &[(i64, i64)]) -> rusqlite::Result<()> {
    let mut update = desk.conn.prepare_cached("UPDATE outbox SET told = ?2 WHERE id = ?1 AND leased = 1")?;
    pairs.iter().try_for_each(|pair| update.execute(*pair).map(|_| ()))
}

/// Notes what became of a claimed row.
pub(super) fn mark(desk: &Desk, id: i64, mark: &Mark, attempt: Option<&Attempt>) -> rusqlite::Result<()> {
    match mark {
        Mark::Sent { at } => sent(desk, id, *at, attempt),
        Mark::Together { at, with } => arrived(desk, id, *at, (&format!("told together with others, in message `{with}`"), attempt)),
        Mark::Retry { next_at, error, may_have_arrived } => retry(desk, id, *next_at, (error, *may_have_arrived, attempt)),
        Mark::Partly { at, next_at, error, remaining } => {
            let next_at = match newer(&desk.conn, id)? {
                // Whom it has not reached has heard what is newer, and must not hear this after it.
                Newer::Told => return arrived(desk, id, *at, (error, attempt)),
                Newer::Waits => *at,
                Newer::Nothing => *next_at,
            };
            let json = serde_json::Value::from(remaining.as_slice()).to_string();
            desk.conn.prepare_cached("UPDATE outbox SET remaining = ?2 WHERE id = ?1 AND state = 'waiting'")?.execute((id, json))?;
            retry(desk, id, next_at, (error, false, attempt))
        }
        Mark::Enough { at, error } => arrived(desk, id, *at, (error, attempt)),
        Mark::Waits { next_at } => wait(desk, id, *next_at),
        Mark::Elsewhere { at } => elsewhere(desk, id, *at),
        Mark::Dead { at, error, may_have_arrived } => dead(desk, id, *at, (error, *may_have_arrived, attempt)),
    }
}

/// What there is in the queue of a row that is newer than it.
enum Newer {
    Nothing,
    Waits,
    /// Another node sent it.
    Told,
}

fn newer(conn: &Connection, id: i64) -> rusqlite::Result<Newer> {
    let (is_told, waits): (Option<bool>, Option<bool>) = conn
        .prepare_cached(
            "SELECT max(o.state = 'sent'), max(o.state = 'waiting') FROM outbox o
             JOIN outbox this ON this.id = ?1 AND o.channel = this.channel AND o.queue = this.queue WHERE ?1 < o.id",
        )?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(match (is_told, waits) {
        (Some(true), _) => Newer::Told,
        (_, Some(true)) => Newer::Waits,
        _ => Newer::Nothing,
    })
}

/// Notes that a message arrived, and what there is to say of how: as a part of another one, or not at all of its recipients.
fn arrived(desk: &Desk, id: i64, at: UnixMillis, (said, attempt): (&str, Option<&Attempt>)) -> rusqlite::Result<()> {
    let n = desk
        .conn
        .prepare_cached(
            "UPDATE outbox SET state = 'sent', ended_at = ?2, leased = 0, n_attempts = n_attempts + 1, last_error = ?3
             WHERE id = ?1 AND state = 'waiting'",
        )?
        .execute((id, at.0, said))?;
    attempt.filter(|_| n == 1).map_or(Ok(()), |attempt| attempt::put(desk, id, attempt, at))
}

/// Notes that a message was accepted. What is not waiting any more stays as it is.
fn sent(desk: &Desk, id: i64, at: UnixMillis, attempt: Option<&Attempt>) -> rusqlite::Result<()> {
    let n = desk
        .conn
        .prepare_cached(
            "UPDATE outbox SET state = 'sent', ended_at = ?2, leased = 0, n_attempts = n_attempts + 1, called = ?3
             WHERE id = ?1 AND state = 'waiting'",
        )?
        .execute((id, at.0, attempt.and_then(|attempt| attempt.called.as_ref()).map(ServiceId::as_str)))?;
    attempt.filter(|_| n == 1).map_or(Ok(()), |attempt| attempt::put(desk, id, attempt, at))
}

/// Notes a failed attempt.
fn retry(
    desk: &Desk,
    id: i64,
    next_at: UnixMillis,
    (error, may_have_arrived, attempt): (&str, bool, Option<&Attempt>),
) -> rusqlite::Result<()> {
    let n = desk
        .conn
        .prepare_cached(
            "UPDATE outbox SET due_at = ?2, last_error = ?3, leased = 0, n_attempts = n_attempts + 1, unsure = unsure | ?4
             WHERE id = ?1 AND state = 'waiting'",
        )?
        .execute((id, next_at.0, error, may_have_arrived))?;
    attempt.filter(|_| n == 1).map_or(Ok(()), |attempt| attempt::put(desk, id, attempt, attempt.at + attempt.took))
}

/// Lets a row go that is not to be sent now; that is no attempt.
fn wait(desk: &Desk, id: i64, next_at: UnixMillis) -> rusqlite::Result<()> {
    desk.conn.prepare_cached("UPDATE outbox SET due_at = ?2, leased = 0 WHERE id = ?1 AND state = 'waiting'")?.execute((id, next_at.0))?;
    Ok(())
}

/// What the delivery log says of a message that another node sent.
pub(super) const ELSEWHERE: &str = "sent by another node";

/// Notes that another node sent a message.
fn elsewhere(desk: &Desk, id: i64, at: UnixMillis) -> rusqlite::Result<()> {
    let key: Option<String> = desk
        .conn
        .prepare_cached(
            "UPDATE outbox SET state = 'sent', ended_at = ?2, leased = 0, last_error = ?3 WHERE id = ?1 AND state = 'waiting' RETURNING key",
        )?
        .query_row((id, at.0, ELSEWHERE), |row| row.get(0))
        .optional()?;
    key.map_or(Ok(()), |key| channel::note_elsewhere(desk, &key, at))
}

/// The same, by key.
pub(super) fn elsewhere_by_key(desk: &Desk, key: &str, at: UnixMillis) -> rusqlite::Result<()> {
    let settled: Option<i64> = desk
        .conn
        .prepare_cached(
            "UPDATE outbox SET state = 'sent', ended_at = ?2, leased = 0, last_error = ?3
             WHERE key = ?1 AND state = 'waiting' AND leased = 0 AND remaining IS NULL RETURNING id",
        )?
        .query_row((key, at.0, ELSEWHERE), |row| row.get(0))
        .optional()?;
    let Some(id) = settled else { return Ok(()) };
    // What did not reach everybody is overtaken: all of them have heard what is newer.
    desk.conn
        .prepare_cached(
            "UPDATE outbox SET state = 'sent', ended_at = ?2 WHERE state = 'waiting' AND leased = 0 AND remaining IS NOT NULL AND id < ?1
             AND (channel, queue) = (SELECT channel, queue FROM outbox WHERE id = ?1)",
        )?
        .execute((id, at.0))?;
    channel::note_elsewhere(desk, key, at)
}

/// Rows that were leased become due then.
pub(super) fn hold_leases(desk: &Desk, until: UnixMillis) -> rusqlite::Result<()> {
    desk.step(&format!("{DOUBT_LEASED})"))?;
    desk.conn.prepare_cached("UPDATE outbox SET leased = 0, told = NULL, due_at = max(at, ?1) WHERE leased = 1")?.execute([until.0])?;
    Ok(())
}

/// Gives a message up.
fn dead(desk: &Desk, id: i64, at: UnixMillis, (error, may_have_arrived, attempt): (&str, bool, Option<&Attempt>)) -> rusqlite::Result<()> {
    let n = desk
        .conn
        .prepare_cached(
            "UPDATE outbox SET state = 'dead', ended_at = ?2, last_error = ?3, leased = 0, n_attempts = n_attempts + 1, unsure = unsure | ?4
             WHERE id = ?1 AND state = 'waiting'",
        )?
        .execute((id, at.0, error, may_have_arrived))?;
    if n == 0 {
        return Ok(());
    }
    channel::note_given_up(desk, id, at)?;
    attempt.map_or(Ok(()), |attempt| attempt::put(desk, id, attempt, at))
}

/// Of every queue of a channel the newest message that arrived, and rows that were given up after it.
const REVIVE: &str = "
    WITH arrived AS MATERIALIZED (
        SELECT queue, max(id) AS id FROM outbox WHERE channel = ?1 AND state = 'sent' GROUP BY queue
    )
    UPDATE outbox SET state = 'waiting', due_at = ?2, again_at = ?2, ended_at = NULL, leased = 0
    WHERE state = 'dead' AND channel = ?1 AND coalesce((SELECT arrived.id FROM arrived WHERE arrived.queue = outbox.queue), 0) < id";

/// Lets a message that was given up wait again, and with it what was given up after it about the same monitor: an outage without its end
/// would be a lie.
pub(super) fn revive(desk: &Desk, channel: &ChannelName, id: i64, now: UnixMillis) -> rusqlite::Result<Revived> {
    let queue: Option<String> = desk
        .conn
        .prepare_cached("SELECT queue FROM outbox WHERE id = ?1 AND channel = ?2 AND state = 'dead'")?
        .query_row((id, channel.as_str()), |row| row.get(0))
        .optional()?;
    let Some(queue) = queue else { return Ok(Revived::NotDead) };
    let n = desk.conn.prepare_cached(&format!("{REVIVE} AND ?3 <= id AND queue = ?4"))?.execute((channel.as_str(), now.0, id, queue))?;
    // What was given up later may be up to date when this is not; it is asked for by itself.
    let is_waiting: bool =
        desk.conn.prepare_cached("SELECT state = 'waiting' FROM outbox WHERE id = ?1")?.query_row([id], |row| row.get(0))?;
    Ok(if is_waiting { Revived::Waiting(n) } else { Revived::Outdated })
}

/// The same with all of a channel.
pub(super) fn revive_all(desk: &Desk, channel: &ChannelName, now: UnixMillis) -> rusqlite::Result<usize> {
    desk.conn.prepare_cached(REVIVE)?.execute((channel.as_str(), now.0))
}

/// Channels that are owed something.
pub(super) fn backlog(conn: &Connection) -> rusqlite::Result<Vec<(ChannelName, u64, UnixMillis)>> {
    let mut select =
        conn.prepare_cached("SELECT channel, count(*), min(at) FROM outbox WHERE state = 'waiting' GROUP BY channel ORDER BY channel")?;
    readable(&mut select.query([])?, "channel", |row| {
        let n: i64 = row.get(1)?;
        Ok((ChannelName::parse(&row.get::<_, String>(0)?)?, u64::try_from(n).unwrap_or(0), UnixMillis(row.get(2)?)))
    })
}

/// The newest deliveries.
pub(super) fn deliveries(conn: &Connection, filter: &DeliveryFilter, limit: usize) -> rusqlite::Result<Vec<Delivery>> {
    let limit = i64::try_from(limit.min(DELIVERIES_MAX)).unwrap_or(0);
    let select = |rest: &str| {
        let columns = "id, key, channel, event, incident, at, n_attempts, state, due_at, ended_at, last_error, subject, called";
        conn.prepare_cached(&format!("SELECT {columns} FROM outbox {rest} ORDER BY id DESC LIMIT ?1"))
    };
    let mut found = match filter {
        DeliveryFilter::All => readable(&mut select("")?.query([limit])?, "message", delivery)?,
        DeliveryFilter::Incident(id) => readable(&mut select("WHERE incident = ?2")?.query((limit, id.as_str()))?, "message", delivery)?,
        DeliveryFilter::Channel { name, before, dead } => {
            let rest = if *dead { "WHERE channel = ?2 AND id < ?3 AND state = 'dead'" } else { "WHERE channel = ?2 AND id < ?3" };
            readable(&mut select(rest)?.query((limit, name.as_str(), before.unwrap_or(i64::MAX)))?, "message", delivery)?
        }
    };
    for delivery in &mut found {
        delivery.attempts = attempt::of(conn, delivery.id)?;
        if let DeliveryState::Waiting(at) = &mut delivery.state {
            (delivery.behind, *at) = in_line(conn, delivery.id, *at)?;
        }
    }
    Ok(found)
}

/// What a message waits for that is due then: an older one of its queue, and a channel that asked for a rest. Says which message, and when
/// something happens.
fn in_line(conn: &Connection, id: i64, due: UnixMillis) -> rusqlite::Result<(Option<i64>, UnixMillis)> {
    let mut select = conn.prepare_cached(
        "SELECT min(first.id), max(first.due_at), max(c.rests_until) FROM outbox o
         JOIN outbox first ON first.state = 'waiting' AND first.channel = o.channel AND first.queue = o.queue AND first.id <= o.id
         LEFT JOIN channels c ON c.name = o.channel WHERE o.id = ?1",
    )?;
    let (first, last_due, rests_until): (Option<i64>, Option<i64>, Option<i64>) =
        select.query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok((first.filter(|first| *first != id), due.max(UnixMillis(last_due.max(rests_until).unwrap_or(0)))))
}

fn delivery(row: &Row<'_>) -> Result<Delivery, Unreadable> {
    let state: String = row.get(7)?;
    let ended_at = || row.get::<_, Option<i64>>(9).map(|at| UnixMillis(at.unwrap_or(0)));
    Ok(Delivery {
        id: row.get(0)?,
        key: row.get(1)?,
        channel: ChannelName::parse(&row.get::<_, String>(2)?)?,
        event: row.get(3)?,
        incident: row.get::<_, Option<String>>(4)?.map(|id| IncidentId::from_derived(&id)),
        about: match message::from_json(&row.get::<_, String>(11)?) {
            Ok(Subject::Incident(facts) | Subject::Passed(facts)) => facts.monitor_name,
            Ok(Subject::SelfNotice { title, text: _ }) => title,
            Ok(Subject::Bundle(_)) => "several monitors".to_owned(),
            Err(_) => "not readable any more".to_owned(),
        },
        at: UnixMillis(row.get(5)?),
        n_attempts: row.get(6)?,
        attempts: Vec::new(),
        behind: None,
        state: match state.as_str() {
            "waiting" => DeliveryState::Waiting(UnixMillis(row.get(8)?)),
            "sent" => DeliveryState::Sent(ended_at()?),
            "dead" => DeliveryState::Dead(ended_at()?),
            other => return Err(Unreadable(format!("`{other}` is not a state"))),
        },
        last_error: row.get(10)?,
        called: row.get::<_, Option<String>>(12)?.as_deref().and_then(ServiceId::parse),
    })
}

/// Deletes what ended before a time; says how many rows went. What is about an incident that is open stays: what follows answers it, and
/// some services have to be told of it again.
pub(super) fn delete_ended(desk: &Desk, before: UnixMillis) -> rusqlite::Result<usize> {
    desk.conn
        .prepare_cached(
            "DELETE FROM outbox WHERE id IN (
                 SELECT id FROM outbox o WHERE ended_at < ?1
                 AND NOT EXISTS (SELECT 1 FROM incidents i WHERE i.id = o.incident AND i.closed_at IS NULL) ORDER BY ended_at LIMIT ?2)",
        )?
        .execute((before.0, SLICE_ROWS))
}

/// Makes rows due that a wrong clock put into a far future.
pub(super) fn correct_due(desk: &Desk, now: UnixMillis) -> rusqlite::Result<usize> {
    desk.conn
        .prepare_cached("UPDATE outbox SET due_at = ?1, leased = 0 WHERE state = 'waiting' AND ?2 < due_at")?
        .execute((now.0, (now + WAIT_MAX).0))
}

/// Drops up to a slice of what is beyond `rows_max`; says how many rows went.
pub(super) fn drop_excess(desk: &Desk, rows_max: i64) -> rusqlite::Result<usize> {
    let n: i64 = desk.conn.prepare_cached("SELECT count(*) FROM outbox")?.query_row([], |row| row.get(0))?;
    let excess = (n - rows_max).min(SLICE_ROWS);
    if excess <= 0 {
        return Ok(0);
    }
    let log = desk
        .conn
        .prepare_cached("DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE ended_at IS NOT NULL ORDER BY ended_at, id LIMIT ?1)")?
        .execute([excess])?;
    if log != 0 {
        return Ok(log);
    }
    let reminders = desk
        .conn
        .prepare_cached(
            "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE state = 'waiting' AND event = ?1 AND leased = 0 ORDER BY id LIMIT ?2)",
        )?
        .execute((EventKind::Reminder.word(), excess))?;
    if reminders != 0 {
        tracing::error!(n_reminders = reminders, "the outbox is full: {reminders} of the oldest reminders were dropped");
    }
    Ok(reminders)
}
