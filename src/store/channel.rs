//! What the attempts say of each channel: kept beside them, so that it is read at once and outlives the log.

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::model::id::ChannelName;
use crate::model::notification::EventKind;
use crate::model::notification::Notification;
use crate::model::time::UnixMillis;
use crate::store::Attempt;
use crate::store::AttemptOutcome;
use crate::store::ChannelFacts;
use crate::store::ChannelMark;
use crate::store::desk::Desk;
use crate::store::outbox;
use crate::store::rows::Unreadable;
use crate::store::rows::readable;

/// A channel took a message.
pub(super) fn note_accepted(desk: &Desk, name: &str, at: UnixMillis) -> rusqlite::Result<()> {
    desk.conn
        .prepare_cached(
            "INSERT INTO channels (name, accepted_at) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET
                 accepted_at = excluded.accepted_at, failing_since = NULL, reason = NULL, rests_until = NULL,
                 mended_at = CASE WHEN broken_since IS NULL THEN NULL ELSE coalesce(mended_at, excluded.accepted_at) END",
        )?
        .execute((name, at.0))?;
    Ok(())
}

/// A channel did not take a message.
pub(super) fn note_failed(desk: &Desk, name: &str, at: UnixMillis, attempt: &Attempt) -> rusqlite::Result<()> {
    let rests_until = match attempt.outcome {
        AttemptOutcome::Later(until) => Some(until.0),
        AttemptOutcome::Accepted | AttemptOutcome::Refused | AttemptOutcome::Failed => None,
    };
    desk.conn
        .prepare_cached(
            "INSERT INTO channels (name, failing_since, reason, rests_until) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET
                 failing_since = coalesce(failing_since, excluded.failing_since), reason = excluded.reason,
                 rests_until = excluded.rests_until",
        )?
        .execute((name, at.0, &attempt.reason, rests_until))?;
    Ok(())
}

/// A message was given up. Notices about vigilmon itself do not count: two channels that take none of them would complain about each
/// other for ever.
pub(super) fn note_given_up(desk: &Desk, message: i64, at: UnixMillis) -> rusqlite::Result<()> {
    desk.conn
        .prepare_cached(
            "INSERT INTO channels (name, given_up_at) SELECT channel, ?2 FROM outbox WHERE id = ?1 AND event <> ?3
             ON CONFLICT DO UPDATE SET given_up_at = excluded.given_up_at",
        )?
        .execute((message, at.0, EventKind::SelfNotice.word()))?;
    Ok(())
}

/// Another node says that a channel took a message.
pub(super) fn note_elsewhere(desk: &Desk, key: &str, at: UnixMillis) -> rusqlite::Result<()> {
    desk.conn
        .prepare_cached(
            "INSERT INTO channels (name, elsewhere_at) SELECT channel, ?2 FROM outbox WHERE key = ?1
             ON CONFLICT DO UPDATE SET elsewhere_at = max(coalesce(elsewhere_at, 0), excluded.elsewhere_at)",
        )?
        .execute((key, at.0))?;
    Ok(())
}

/// Marks a channel and owes the messages that tell of it, if it is still as it was; says whether it was.
pub(super) fn mark(desk: &Desk, name: &ChannelName, mark: ChannelMark, tell: &[Notification]) -> rusqlite::Result<bool> {
    let name = name.as_str();
    let n = match mark {
        ChannelMark::Broken { since, told_at } => desk
            .conn
            .prepare_cached(
                "UPDATE channels SET broken_since = ?2, mended_at = NULL, told_at = coalesce(?3, told_at)
                 WHERE name = ?1 AND ?2 IN (broken_since, failing_since) AND mended_at IS NULL",
            )?
            .execute((name, since.0, told_at.map(|at| at.0)))?,
        ChannelMark::Told(at) => desk.conn.prepare_cached("UPDATE channels SET told_at = ?2 WHERE name = ?1")?.execute((name, at.0))?,
        ChannelMark::Mended(since) => desk
            .conn
            // What was given up meanwhile is said with it, when anything is said.
            .prepare_cached(
                "UPDATE channels SET broken_since = NULL, mended_at = NULL,
                     told_at = CASE WHEN broken_since <= told_at THEN max(told_at, coalesce(given_up_at, told_at)) ELSE told_at END
                 WHERE name = ?1 AND broken_since = ?2",
            )?
            .execute((name, since.0))?,
    };
    if n == 1 {
        tell.iter().try_for_each(|notice| outbox::owe(desk, notice))?;
    }
    Ok(n == 1)
}

/// What is known of every channel.
pub(super) fn all(conn: &Connection) -> rusqlite::Result<Vec<ChannelFacts>> {
    let mut all: BTreeMap<ChannelName, ChannelFacts> = BTreeMap::new();
    for facts in marked(conn)? {
        all.insert(facts.name.clone(), facts);
    }
    let mut of = |name: ChannelName, change: &dyn Fn(&mut ChannelFacts)| {
        change(all.entry(name.clone()).or_insert_with(|| ChannelFacts::new(name)));
    };
    let mut waiting = conn.prepare_cached(
        // What only some of several recipients miss is not late.
        "SELECT channel, count(*),
             min(CASE WHEN remaining IS NOT NULL THEN NULL WHEN n_attempts > 0 THEN coalesce(again_at, at) ELSE due_at END), min(due_at)
         FROM outbox WHERE state = 'waiting' GROUP BY channel",
    )?;
    for (name, n, oldest, next_at) in readable(&mut waiting.query([])?, "channel", |row| {
        Ok((
            ChannelName::parse(&row.get::<_, String>(0)?)?,
            number(row.get(1)?),
            row.get::<_, Option<i64>>(2)?.map(UnixMillis),
            UnixMillis(row.get(3)?),
        ))
    })? {
        of(name, &|facts| (facts.n_waiting, facts.oldest, facts.next_at) = (n, oldest, Some(next_at)));
    }
    let mut dead = conn.prepare_cached("SELECT channel, count(*), max(ended_at) FROM outbox WHERE state = 'dead' GROUP BY channel")?;
    for (name, n, at) in readable(&mut dead.query([])?, "channel", |row| {
        Ok((ChannelName::parse(&row.get::<_, String>(0)?)?, number(row.get(1)?), UnixMillis(row.get(2)?)))
    })? {
        of(name, &|facts| (facts.n_dead, facts.dead_at) = (n, Some(at)));
    }
    for facts in all.values_mut() {
        count(conn, facts)?;
    }
    Ok(all.into_values().collect())
}

fn marked(conn: &Connection) -> rusqlite::Result<Vec<ChannelFacts>> {
    let mut select = conn.prepare_cached(
        "SELECT name, accepted_at, failing_since, rests_until, broken_since, mended_at, told_at, given_up_at, reason, elsewhere_at FROM channels",
    )?;
    readable(&mut select.query([])?, "channel", |row| {
        let at = |i: usize| -> Result<Option<UnixMillis>, Unreadable> { Ok(row.get::<_, Option<i64>>(i)?.map(UnixMillis)) };
        Ok(ChannelFacts {
            accepted_at: at(1)?,
            failing_since: at(2)?,
            rests_until: at(3)?,
            broken_since: at(4)?,
            mended_at: at(5)?,
            told_at: at(6)?,
            given_up_at: at(7)?,
            reason: row.get(8)?,
            elsewhere_at: at(9)?,
            ..ChannelFacts::new(ChannelName::parse(&row.get::<_, String>(0)?)?)
        })
    })
}

/// What it missed while it did not deliver.
fn count(conn: &Connection, facts: &mut ChannelFacts) -> rusqlite::Result<()> {
    let Some(since) = facts.broken_since else { return Ok(()) };
    let name = facts.name.as_str();
    facts.n_lost = conn
        .prepare_cached("SELECT count(*) FROM outbox WHERE state = 'dead' AND channel = ?1 AND ?2 <= ended_at")?
        .query_row((name, since.0), |row| row.get(0))
        .map(number)?;
    let Some(mended_at) = facts.mended_at else { return Ok(()) };
    facts.n_late = conn
        .prepare_cached(
            "SELECT (SELECT count(*) FROM outbox WHERE state = 'waiting' AND channel = ?1 AND at < ?2)
                  + (SELECT count(*) FROM outbox WHERE ?2 <= ended_at AND state = 'sent' AND channel = ?1 AND at < ?2 AND last_error IS NOT ?3)",
        )?
        .query_row((name, mended_at.0, outbox::ELSEWHERE), |row| row.get(0))
        .map(number)?;
    Ok(())
}

fn number(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}
