//! What nodes tell each other of subscribers: who is known, who is gone, and what each was told. What becomes of it is decided in
//! [`super::merge`].
//!
//! Every change has a number of its own, so that whoever asks gets what is new since the last answer. What is taken in from another node is a
//! change, too, if it changed something: nodes that are not linked hear of each other's subscribers from a third.

use std::time::Duration;

use rusqlite::Connection;
use rusqlite::Row;

use crate::model::id::NodeName;
use crate::model::id::PageSlug;
use crate::model::page::Language;
use crate::model::subscription::SUBSCRIBERS_MAX;
use crate::model::subscription::SharedRow;
use crate::model::subscription::SharedSubscriber;
use crate::model::subscription::SubscriberWay;
use crate::model::time::UnixMillis;
use crate::store::desk::Desk;
use crate::store::rows::Unreadable;
use crate::store::rows::readable;
use crate::store::subscriber::NEWS_GOOD_FOR;
use crate::store::subscriber::UNCONFIRMED_KEPT_FOR;
use crate::store::subscriber::merge::Step;
use crate::store::subscriber::merge::step;

/// Subscribers and names in one answer: with everything at its longest they come to half of what a link carries.
pub const SHARED_ROWS_MAX: usize = 100;

/// Keys of what one subscriber was told, in one answer: the newest. A page that says more within a day tells nobody anything.
pub const SHARED_TOLD_MAX: usize = 200;

/// Who left stays gone for so long: longer than a node is away whose disk is still of use, and than a backup that somebody plays back is old.
pub const GONE_KEPT_FOR: Duration = Duration::from_secs(400 * 86_400);

/// What others told is remembered for as long as it may be told, and a little longer: by another clock it may still be good.
const TOLD_KEPT_FOR: Duration = NEWS_GOOD_FOR.saturating_add(Duration::from_secs(3600));

/// Keys that are kept of one subscriber: several answers full of them. What is told beyond it may be repeated.
const TOLD_KEPT_MAX: i64 = 1000;

/// What has changed since a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedPart {
    /// Up to this number it is all of it.
    pub to: i64,
    /// There is more after that.
    pub has_more: bool,
    /// Subscribers.
    pub rows: Vec<SharedRow>,
    /// Names of those who left, and when.
    pub gone: Vec<(String, UnixMillis)>,
}

/// The number of a change that is made now.
pub(super) fn stamp(desk: &Desk) -> rusqlite::Result<i64> {
    // In a database of which a part was rescued the row is younger than what it counts.
    desk.conn
        .prepare_cached(
            "INSERT INTO subscribers_clock VALUES (1, 1 + max(coalesce((SELECT max(changed) FROM subscribers), 0),
                 coalesce((SELECT max(changed) FROM subscribers_gone), 0)))
             ON CONFLICT DO UPDATE SET changed = max(changed + 1, excluded.changed) RETURNING changed",
        )?
        .query_row([], |row| row.get(0))
}

/// Forgets who has this name, on all nodes and for good. Says whether it was here.
pub(super) fn bury(desk: &Desk, name: &str, at: UnixMillis) -> rusqlite::Result<bool> {
    let is_here = 0 < desk.conn.prepare_cached("DELETE FROM subscribers WHERE name = ?1")?.execute([name])?;
    if is_here || !is_gone(&desk.conn, name)? {
        let changed = stamp(desk)?;
        desk.conn.prepare_cached("INSERT OR IGNORE INTO subscribers_gone VALUES (?1, ?2, ?3)")?.execute((name, at.0, changed))?;
    }
    Ok(is_here)
}

fn is_gone(conn: &Connection, name: &str) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM subscribers_gone WHERE name = ?1)")?.query_row([name], |row| row.get(0))
}

/// Subscribers from before there were peers signed up at this node, which has a name now. Says how many there were.
pub(in crate::store) fn adopt(desk: &Desk, me: &NodeName) -> rusqlite::Result<usize> {
    let ids: Vec<i64> = desk
        .conn
        .prepare_cached("SELECT id FROM subscribers WHERE home = ''")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for id in &ids {
        let changed = stamp(desk)?;
        desk.conn.prepare_cached("UPDATE subscribers SET home = ?2, changed = ?3 WHERE id = ?1")?.execute((id, me.as_str(), changed))?;
    }
    Ok(ids.len())
}

/// Where those signed up who are known here; those from before there were peers are not among it.
pub(in crate::store) fn homes(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut select = conn.prepare_cached("SELECT DISTINCT home FROM subscribers WHERE home <> ''")?;
    readable(&mut select.query([])?, "home of subscribers", |row| Ok(row.get(0)?))
}

/// The columns that [`shared`] reads, in its order.
macro_rules! shared_columns {
    () => {
        "name, home, page, way, address, language, asked_at, 1 - owes_question, n_asked, confirmed_at, id, changed"
    };
}

/// A subscriber, its key and the number of its change.
struct Known {
    one: SharedSubscriber,
    id: i64,
    changed: i64,
}

fn shared(row: &Row<'_>) -> Result<Known, Unreadable> {
    let (home, page, way, language): (String, String, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?, row.get(5)?);
    let one = SharedSubscriber {
        name: row.get(0)?,
        home: NodeName::parse(&home)?,
        page: PageSlug::parse(&page)?,
        way: SubscriberWay::of_word(&way).ok_or_else(|| format!("`{way}` is no way to be told"))?,
        address: row.get(4)?,
        language: Language::ALL.into_iter().find(|known| known.code() == language).unwrap_or(Language::English),
        asked_at: UnixMillis(row.get(6)?),
        is_asked: row.get(7)?,
        n_asked: row.get(8)?,
        confirmed_at: row.get::<_, Option<i64>>(9)?.map(UnixMillis),
    };
    Ok(Known { one, id: row.get(10)?, changed: row.get(11)? })
}

/// What has changed after this number, oldest first, as much of it as fits into one answer.
pub(in crate::store) fn since(conn: &Connection, after: i64, now: UnixMillis) -> rusqlite::Result<SharedPart> {
    // Read first: what changes meanwhile has a greater number, and comes with the next answer.
    let newest: i64 = conn
        .prepare_cached(
            "SELECT max(coalesce((SELECT changed FROM subscribers_clock), 0), coalesce((SELECT max(changed) FROM subscribers), 0),
                 coalesce((SELECT max(changed) FROM subscribers_gone), 0))",
        )?
        .query_row([], |row| row.get(0))?;
    let n = i64::try_from(SHARED_ROWS_MAX).unwrap_or(i64::MAX) + 1;
    let mut select = conn.prepare_cached(concat!(
        "SELECT ",
        shared_columns!(),
        " FROM subscribers WHERE ?1 < changed AND changed <= ?2 AND home <> '' ORDER BY changed LIMIT ?3"
    ))?;
    let rows = readable(&mut select.query((after, newest, n))?, "subscriber", shared)?;
    let mut select = conn
        .prepare_cached("SELECT name, at, changed FROM subscribers_gone WHERE ?1 < changed AND changed <= ?2 ORDER BY changed LIMIT ?3")?;
    let gone: Vec<(String, i64, i64)> =
        select.query_map((after, newest, n), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<Result<_, _>>()?;
    let mut numbers: Vec<i64> = rows.iter().map(|known| known.changed).chain(gone.iter().map(|(_, _, changed)| *changed)).collect();
    numbers.sort_unstable();
    let has_more = SHARED_ROWS_MAX < numbers.len();
    let to = if has_more { numbers[SHARED_ROWS_MAX - 1] } else { newest };
    let rows = rows
        .into_iter()
        .filter(|known| known.changed <= to)
        .map(|known| Ok(SharedRow { told: told(conn, known.id, now)?, subscriber: known.one }))
        .collect::<rusqlite::Result<_>>()?;
    let gone = gone.into_iter().filter(|(_, _, changed)| *changed <= to).map(|(name, at, _)| (name, UnixMillis(at))).collect();
    Ok(SharedPart { to, has_more, rows, gone })
}

/// Keys of what a subscriber has been told lately, by this node and by others, newest first.
fn told(conn: &Connection, id: i64, now: UnixMillis) -> rusqlite::Result<Vec<(String, UnixMillis)>> {
    let mut select = conn.prepare_cached(
        "SELECT news.key, news.at FROM subscribers AS one JOIN page_news AS news
             ON news.page = one.page AND one.told_from < news.id AND news.id <= one.told_to
         WHERE one.id = ?1 AND ?2 <= news.at
         UNION SELECT key, at FROM subscribers_told WHERE subscriber = ?1 AND ?2 <= at
         ORDER BY 2 DESC, 1 LIMIT ?3",
    )?;
    let (since, n) = (now.minus(TOLD_KEPT_FOR).0, i64::try_from(SHARED_TOLD_MAX).unwrap_or(i64::MAX));
    select.query_map((id, since, n), |row| Ok((row.get(0)?, UnixMillis(row.get(1)?))))?.collect()
}

/// Takes in what another node told. Says how much of it was news.
pub(in crate::store) fn merge(desk: &Desk, rows: &[SharedRow], gone: &[(String, UnixMillis)], now: UnixMillis) -> rusqlite::Result<usize> {
    let mut n = 0;
    for (name, at) in gone {
        // What is too old to be kept here is not to come back from whoever keeps it still.
        if now.since(*at) < GONE_KEPT_FOR && !is_gone(&desk.conn, name)? {
            bury(desk, name, (*at).min(now))?;
            n += 1;
        }
    }
    for row in rows {
        n += usize::from(merge_one(desk, row, now)?);
    }
    Ok(n)
}

fn merge_one(desk: &Desk, row: &SharedRow, now: UnixMillis) -> rusqlite::Result<bool> {
    let theirs = &row.subscriber;
    if theirs.confirmed_at.is_none() && UNCONFIRMED_KEPT_FOR < now.since(theirs.asked_at) {
        return Ok(false);
    }
    let mine = mine(&desk.conn, theirs)?;
    let is_gone = is_gone(&desk.conn, &theirs.name)?;
    let (id, is_news) = match (step(theirs, mine.as_ref().map(|known| &known.one), is_gone), mine) {
        (Step::Insert, _) => match insert(desk, theirs, now)? {
            Some(id) => (id, true),
            None => return Ok(false),
        },
        (Step::Replace, Some(mine)) => {
            // What the other one was told, this address was told.
            let before = told(&desk.conn, mine.id, now)?;
            desk.conn.prepare_cached("DELETE FROM subscribers WHERE id = ?1")?.execute([mine.id])?;
            let Some(id) = insert(desk, theirs, now)? else { return Ok(true) };
            note_told(desk, id, &before, now)?;
            (id, true)
        }
        (Step::Update, Some(mine)) => {
            update(desk, mine.id, theirs, now)?;
            (mine.id, true)
        }
        (Step::Keep, Some(mine)) if !is_gone => (mine.id, false),
        (Step::Keep | Step::Update | Step::Replace, _) => return Ok(false),
    };
    let n_told = note_told(desk, id, &row.told, now)?;
    if is_news || 0 < n_told {
        settle(desk, id, now)?;
        let changed = stamp(desk)?;
        desk.conn.prepare_cached("UPDATE subscribers SET changed = ?2 WHERE id = ?1")?.execute((id, changed))?;
    }
    Ok(is_news || 0 < n_told)
}

/// Who has this name here, or else who has this address at this page.
fn mine(conn: &Connection, theirs: &SharedSubscriber) -> rusqlite::Result<Option<Known>> {
    let mut select = conn.prepare_cached(concat!("SELECT ", shared_columns!(), " FROM subscribers WHERE name = ?1"))?;
    if let Some(known) = readable(&mut select.query([&theirs.name])?, "subscriber", shared)?.pop() {
        return Ok(Some(known));
    }
    let sql = concat!("SELECT ", shared_columns!(), " FROM subscribers WHERE page = ?1 AND way = ?2 AND address = ?3");
    let mut select = conn.prepare_cached(sql)?;
    let mut rows = select.query((theirs.page.as_str(), theirs.way.word(), &theirs.address))?;
    Ok(readable(&mut rows, "subscriber", shared)?.pop())
}

/// `None`: there is no room for anybody else at this page.
fn insert(desk: &Desk, one: &SharedSubscriber, now: UnixMillis) -> rusqlite::Result<Option<i64>> {
    let page = one.page.as_str();
    let n: u32 = desk.conn.prepare_cached("SELECT count(*) FROM subscribers WHERE page = ?1")?.query_row([page], |row| row.get(0))?;
    if SUBSCRIBERS_MAX <= n {
        return Ok(None);
    }
    let told_to = noted_by(&desk.conn, page, one.confirmed_at)?;
    let owes_question = one.confirmed_at.is_none() && !one.is_asked;
    // Whoever cannot be read here keeps the address.
    let n_new = desk
        .conn
        .prepare_cached(
            "INSERT OR IGNORE INTO subscribers (name, page, way, address, language, asked_at, tried_at, confirmed_at, owes_question, n_asked,
                 next_at, told_to, told_from, home)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10, ?11, ?11, ?12)",
        )?
        .execute(rusqlite::params![
            one.name,
            page,
            one.way.word(),
            one.address,
            one.language.code(),
            one.asked_at.0,
            one.confirmed_at.map(|at| at.0),
            owes_question,
            one.n_asked,
            now.0,
            told_to,
            one.home.as_str()
        ])?;
    Ok((0 < n_new).then(|| desk.conn.last_insert_rowid()))
}

/// The newest news of a page that were noted here when somebody confirmed: what was said before is not told.
fn noted_by(conn: &Connection, page: &str, confirmed_at: Option<UnixMillis>) -> rusqlite::Result<i64> {
    let Some(at) = confirmed_at else { return Ok(0) };
    // By the first that was noted later: after a clock was set back, more is told rather than less.
    conn.prepare_cached(
        "SELECT coalesce((SELECT min(id) - 1 FROM page_news WHERE page = ?1 AND ?2 < noted_at),
             (SELECT max(id) FROM page_news WHERE page = ?1), 0)",
    )?
    .query_row((page, at.0), |row| row.get(0))
}

/// The same one has come further at another node.
fn update(desk: &Desk, id: i64, one: &SharedSubscriber, now: UnixMillis) -> rusqlite::Result<()> {
    let told_to = noted_by(&desk.conn, one.page.as_str(), one.confirmed_at)?;
    let owes_question = one.confirmed_at.is_none() && !one.is_asked;
    // What was confirmed already has been told since then; only who is new to this begins now.
    desk.conn
        .prepare_cached(
            "UPDATE subscribers SET language = ?2, asked_at = ?3, n_asked = max(n_asked, ?4), home = ?5, owes_question = ?6,
                 told_to = CASE WHEN confirmed_at IS NULL THEN ?7 ELSE told_to END,
                 told_from = CASE WHEN confirmed_at IS NULL THEN ?7 ELSE told_from END,
                 next_at = CASE WHEN confirmed_at IS NULL AND (?8 IS NOT NULL OR owes_question < ?6) THEN ?9 ELSE next_at END,
                 n_failed = CASE WHEN confirmed_at IS NULL THEN 0 ELSE n_failed END,
                 n_refused = CASE WHEN confirmed_at IS NULL THEN 0 ELSE n_refused END,
                 confirmed_at = ?8
             WHERE id = ?1",
        )?
        .execute(rusqlite::params![
            id,
            one.language.code(),
            one.asked_at.0,
            one.n_asked,
            one.home.as_str(),
            owes_question,
            told_to,
            one.confirmed_at.map(|at| at.0),
            now.0
        ])?;
    Ok(())
}

/// Notes what others have told, as far as it is not known to have been told. Says how much of it is new.
fn note_told(desk: &Desk, id: i64, told: &[(String, UnixMillis)], now: UnixMillis) -> rusqlite::Result<usize> {
    let mut n = 0;
    for (key, at) in told.iter().take(SHARED_TOLD_MAX).filter(|(_, at)| now.since(*at) < TOLD_KEPT_FOR) {
        n += desk
            .conn
            .prepare_cached(
                "INSERT OR IGNORE INTO subscribers_told SELECT ?1, ?2, ?3 WHERE NOT EXISTS (
                     SELECT 1 FROM subscribers AS one JOIN page_news AS news
                         ON news.page = one.page AND one.told_from < news.id AND news.id <= one.told_to
                     WHERE one.id = ?1 AND news.key = ?2)
                   AND (SELECT count(*) FROM subscribers_told WHERE subscriber = ?1) < ?4",
            )?
            .execute((id, key, at.0, TOLD_KEPT_MAX))?;
    }
    Ok(n)
}

/// Moves a subscriber on over what others have told, what is withdrawn and what is too old, and lets go of what that makes superfluous. An
/// attempt that has begun stays as it is.
pub(super) fn settle(desk: &Desk, id: i64, now: UnixMillis) -> rusqlite::Result<()> {
    desk.conn
        .prepare_cached(
            "UPDATE subscribers AS one SET told_to = max(told_to, coalesce(
                 (SELECT min(news.id) - 1 FROM page_news AS news
                  WHERE news.page = one.page AND one.told_to < news.id AND ?2 <= news.at AND news.withdrawn = 0
                    AND NOT EXISTS (SELECT 1 FROM subscribers_told WHERE subscriber = one.id AND key = news.key)),
                 (SELECT max(id) FROM page_news WHERE page = one.page), 0))
             WHERE id = ?1 AND confirmed_at IS NOT NULL AND telling_to IS NULL",
        )?
        .execute((id, now.minus(NEWS_GOOD_FOR).0))?;
    let_go(desk, id)
}

/// What `told_to` has come to need not be kept beside it.
pub(super) fn let_go(desk: &Desk, id: i64) -> rusqlite::Result<()> {
    desk.conn
        .prepare_cached(
            "DELETE FROM subscribers_told WHERE subscriber = ?1 AND key IN (
                 SELECT news.key FROM subscribers AS one JOIN page_news AS news ON news.page = one.page
                 WHERE one.id = ?1 AND one.told_from < news.id AND news.id <= one.told_to)",
        )?
        .execute([id])?;
    Ok(())
}

/// Forgets what is too old to matter, and moves on those of whom others have told.
pub(super) fn tidy(desk: &Desk, now: UnixMillis) -> rusqlite::Result<()> {
    desk.conn.prepare_cached("DELETE FROM subscribers_gone WHERE at < ?1")?.execute([now.minus(GONE_KEPT_FOR).0])?;
    desk.conn.prepare_cached("DELETE FROM subscribers_told WHERE at < ?1")?.execute([now.minus(TOLD_KEPT_FOR).0])?;
    let ids: Vec<i64> = desk
        .conn
        .prepare_cached("SELECT DISTINCT subscriber FROM subscribers_told")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    ids.into_iter().try_for_each(|id| settle(desk, id, now))
}
