//! Subscribers of status pages, and what they are told: each piece of news is one row for the whole page, and of each subscriber it is kept
//! how far it has been told. So an outage costs one row, however many have to hear of it, and a crash in between loses nothing: what an
//! attempt tells is fixed before it begins, and the next one says the same under the same key.
//!
//! With peers every node knows all of them, see [`share`], and tells those for whom it acts: [`Homes`].
//!
//! Of what the address of a subscription ends with only a name is kept, which is worth nothing without a tag that follows from the secret: see
//! `crate::notifier::signed`.

mod merge;
pub(super) mod share;

use std::time::Duration;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;

use crate::model::id::NodeName;
use crate::model::id::PageSlug;
use crate::model::page::Language;
use crate::model::subscription::Subscriber;
use crate::model::subscription::SubscriberWay;
use crate::model::time::UnixMillis;
use crate::store::desk::Desk;
use crate::store::rows::Unreadable;
use crate::store::rows::readable;

/// News that one message tells; the rest comes with the next one.
const NEWS_AT_ONCE: i64 = 20;

/// Subscribers that are passed over in one go because nothing is left to say to them: one thread writes for all, and alerts must not wait for
/// a whole list.
const TURNS_MAX: usize = 50;

/// News older than this are not sent any more: who reads them would take what is long over for the present.
pub const NEWS_GOOD_FOR: Duration = Duration::from_secs(24 * 3600);

/// Who has not confirmed after so long is forgotten: somebody else may have typed the address.
pub const UNCONFIRMED_KEPT_FOR: Duration = Duration::from_secs(24 * 3600);

/// Subscribers of a page that is not in the config any more, or does not offer the way in which they are told, are kept for so long: a slip in a file must not
/// cost a page all of them.
pub const ORPHANS_KEPT_FOR: Duration = Duration::from_secs(30 * 86_400);

/// So long it is remembered what a page said already.
const NEWS_KEPT_FOR: Duration = Duration::from_secs(30 * 86_400);

/// An attempt that has not ended after so long was cut off by the end of the program.
pub const SUBSCRIBER_LEASE: Duration = Duration::from_secs(90);

/// Somebody signs up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignUp {
    /// See [`Subscriber::name`].
    pub name: String,
    /// Where.
    pub page: PageSlug,
    /// How it is to be told.
    pub way: SubscriberWay,
    /// Where to.
    pub address: String,
    /// In which language.
    pub language: Language,
    /// When.
    pub at: UnixMillis,
    /// At which node; `None`: there are no peers.
    pub home: Option<NodeName>,
    /// What is allowed.
    pub limits: SignUpLimits,
}

/// What is allowed of those who sign up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignUpLimits {
    /// Subscribers of the page, those counted who have not confirmed.
    pub n_max: u32,
    /// Of them those who have not confirmed.
    pub n_unconfirmed_max: u32,
    /// Questions whether it was meant, to one address; with none it is taken down all the same, so that the answer takes as long.
    pub n_asked_max: u32,
    /// Between two of them.
    pub ask_again_after: Duration,
}

/// What became of it. It says nothing about whether the address was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedUp {
    /// Whatever there is to do will be done.
    Taken,
    /// The page takes nobody else now.
    Full,
}

/// One piece of news of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewsRow {
    /// Tells it apart from everything else that the page ever says.
    pub key: String,
    /// When it happened.
    pub at: UnixMillis,
    /// What it says, as `crate::http::subscriptions` writes it.
    pub body: String,
}

/// What is owed to a subscriber, claimed by the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errand {
    /// Who.
    pub to: Subscriber,
    /// What to say, oldest first; empty: whether it was meant.
    pub news: Vec<NewsRow>,
    /// Keys of all that this was to tell when it was first tried, sorted: what is left of it is told under the same key.
    pub keys: Vec<String>,
    /// Attempts in a row that failed.
    pub n_failed: u32,
    /// Of them those that were refused for good.
    pub n_refused: u32,
}

/// For whom a node acts: those who signed up at these nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Homes {
    /// For everybody: there are no peers.
    All,
    /// For those of these nodes.
    Of(Vec<String>),
}

impl Homes {
    /// As a parameter of SQL, which takes no lists: JSON; NULL for everybody.
    fn as_json(&self) -> Option<String> {
        match self {
            Homes::All => None,
            Homes::Of(names) => Some(json(names)),
        }
    }
}

/// Texts as JSON. They always can be.
fn json(texts: &[String]) -> String {
    serde_json::to_string(texts).unwrap_or_default()
}

/// What is claimed before the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// The question whether it was meant.
    Question,
    /// What a page says.
    News,
}

/// What became of an errand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrandMark {
    /// It was told; more is not to be said before then.
    Told {
        /// Not before.
        next_at: UnixMillis,
    },
    /// It was asked whether it was meant.
    Asked {
        /// When.
        at: UnixMillis,
    },
    /// It was asked and has said that it was meant.
    Confirmed {
        /// When.
        at: UnixMillis,
    },
    /// To be tried again.
    Failed {
        /// When.
        next_at: UnixMillis,
        /// It will most likely fail again in the same way.
        is_refused: bool,
    },
    /// It is to be forgotten, on all nodes.
    Gone {
        /// When.
        at: UnixMillis,
    },
}

/// How many subscribers a page has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriberCount {
    /// Which page.
    pub page: String,
    /// Those who are told.
    pub n_confirmed: u64,
    /// Those who have not confirmed yet.
    pub n_unconfirmed: u64,
}

/// Somebody signs up. Who is known already is asked again at most, and the answer is the same.
pub(super) fn sign_up(desk: &Desk, new: &SignUp) -> rusqlite::Result<SignedUp> {
    let (page, way, limits) = (new.page.as_str(), new.way.word(), new.limits);
    let home = new.home.as_ref().map_or("", NodeName::as_str);
    let (n, n_unconfirmed): (u32, u32) = desk
        .conn
        .prepare_cached("SELECT count(*), count(*) FILTER (WHERE confirmed_at IS NULL) FROM subscribers WHERE page = ?1")?
        .query_row([page], |row| Ok((row.get(0)?, row.get(1)?)))?;
    // Looked at first, so that the answer is the same for those who are known.
    if limits.n_max <= n || limits.n_unconfirmed_max <= n_unconfirmed {
        return Ok(SignedUp::Full);
    }
    // Something is written in either case, so that it takes as long for those who are known.
    desk.conn
        .prepare_cached(
            "INSERT INTO subscribers (name, page, way, address, language, asked_at, tried_at, owes_question, next_at, told_to, home, changed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?6, 0, ?8, ?9)
             ON CONFLICT (page, way, address) DO UPDATE SET tried_at = excluded.tried_at",
        )?
        .execute((&new.name, page, way, &new.address, new.language.code(), new.at.0, 0 < limits.n_asked_max, home, share::stamp(desk)?))?;
    desk.conn
        .prepare_cached(
            "UPDATE subscribers SET owes_question = 1, asked_at = ?4, language = ?5, changed = ?8
             WHERE page = ?1 AND way = ?2 AND address = ?3 AND confirmed_at IS NULL AND n_asked < ?6 AND asked_at <= ?7",
        )?
        .execute((
            page,
            way,
            &new.address,
            new.at.0,
            new.language.code(),
            limits.n_asked_max,
            new.at.minus(limits.ask_again_after).0,
            share::stamp(desk)?,
        ))?;
    Ok(SignedUp::Taken)
}

/// The columns that [`subscriber`] reads, in its order.
macro_rules! columns {
    () => {
        "id, name, page, way, address, language, asked_at, confirmed_at, home"
    };
}

fn subscriber(row: &Row<'_>) -> Result<Subscriber, Unreadable> {
    let (page, way, language, home): (String, String, String, String) = (row.get(2)?, row.get(3)?, row.get(5)?, row.get(8)?);
    Ok(Subscriber {
        id: row.get(0)?,
        name: row.get(1)?,
        page: PageSlug::parse(&page)?,
        way: SubscriberWay::of_word(&way).ok_or_else(|| format!("`{way}` is no way to be told"))?,
        address: row.get(4)?,
        language: Language::ALL.into_iter().find(|known| known.code() == language).unwrap_or(Language::English),
        asked_at: UnixMillis(row.get(6)?),
        confirmed_at: row.get::<_, Option<i64>>(7)?.map(UnixMillis),
        home: (!home.is_empty()).then(|| NodeName::parse(&home)).transpose()?,
    })
}

/// The subscriber with this name.
pub(super) fn by_name(conn: &Connection, name: &str) -> rusqlite::Result<Option<Subscriber>> {
    let mut select = conn.prepare_cached(concat!("SELECT ", columns!(), " FROM subscribers WHERE name = ?1"))?;
    Ok(readable(&mut select.query([name])?, "subscriber", subscriber)?.pop())
}

/// All subscribers, by page and address.
pub(super) fn all(conn: &Connection) -> rusqlite::Result<Vec<Subscriber>> {
    let mut select = conn.prepare_cached(concat!("SELECT ", columns!(), " FROM subscribers ORDER BY page, way, address"))?;
    readable(&mut select.query([])?, "subscriber", subscriber)
}

/// How many there are of each page that has any.
pub(super) fn counts(conn: &Connection) -> rusqlite::Result<Vec<SubscriberCount>> {
    let mut select =
        conn.prepare_cached("SELECT page, count(confirmed_at), count(*) - count(confirmed_at) FROM subscribers GROUP BY page")?;
    readable(&mut select.query([])?, "number of subscribers", |row| {
        let number = |n: i64| u64::try_from(n).unwrap_or(0);
        Ok(SubscriberCount { page: row.get(0)?, n_confirmed: number(row.get(1)?), n_unconfirmed: number(row.get(2)?) })
    })
}

/// Who has this name is told from now on, of what is said from now on. Says whether there is such a subscriber.
pub(super) fn confirm(desk: &Desk, name: &str, at: UnixMillis) -> rusqlite::Result<bool> {
    let newest = newest(&desk.conn)?;
    let n = desk
        .conn
        .prepare_cached(
            "UPDATE subscribers SET told_to = CASE WHEN confirmed_at IS NULL THEN ?3 ELSE told_to END,
                 next_at = CASE WHEN confirmed_at IS NULL THEN ?2 ELSE next_at END,
                 confirmed_at = coalesce(confirmed_at, ?2), owes_question = 0, n_failed = 0, n_refused = 0, changed = ?4
             WHERE name = ?1",
        )?
        .execute((name, at.0, newest, share::stamp(desk)?))?;
    Ok(0 < n)
}

/// Forgets who has this name, on all nodes. Says whether there was somebody.
pub(super) fn remove(desk: &Desk, name: &str, at: UnixMillis) -> rusqlite::Result<bool> {
    let is_known = desk
        .conn
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM subscribers WHERE name = ?1)")?
        .query_row([name], |row| row.get::<_, bool>(0))?;
    Ok(is_known && share::bury(desk, name, at)?)
}

/// Forgets an address, of one page or of all, on all nodes. Says how often it was there.
pub(super) fn forget(desk: &Desk, address: &str, page: Option<&str>, at: UnixMillis) -> rusqlite::Result<usize> {
    let names: Vec<String> = desk
        .conn
        .prepare_cached("SELECT name FROM subscribers WHERE address = ?1 AND page = coalesce(?2, page)")?
        .query_map((address, page), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for name in &names {
        share::bury(desk, name, at)?;
    }
    Ok(names.len())
}

/// The newest news of all pages. Never less than what somebody was told, so that ids do not come twice after old news were deleted.
fn newest(conn: &Connection) -> rusqlite::Result<i64> {
    conn.prepare_cached("SELECT max(coalesce((SELECT max(id) FROM page_news), 0), coalesce((SELECT max(told_to) FROM subscribers), 0))")?
        .query_row([], |row| row.get(0))
}

/// Notes what a page says, as far as it has not said it before. Says how much of it is new.
pub(super) fn news_add(desk: &Desk, page: &str, news: &[NewsRow], now: UnixMillis) -> rusqlite::Result<usize> {
    let mut id = newest(&desk.conn)?;
    let mut n_new = 0;
    for item in news {
        let n = desk
            .conn
            .prepare_cached("INSERT INTO page_news (id, page, key, at, body, noted_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (page, key) DO NOTHING")?
            .execute((id + 1, page, &item.key, item.at.0, &item.body, now.0))?;
        id += i64::try_from(n).unwrap_or(0);
        n_new += n;
    }
    Ok(n_new)
}

/// What a page has said lately and still says, as far as is known: the keys of it. What a clock that was set back has not come to yet is not
/// among it, because nobody can tell whether the page still says that.
pub(super) fn news_standing(conn: &Connection, page: &str, now: UnixMillis) -> rusqlite::Result<Vec<String>> {
    let mut select = conn.prepare_cached("SELECT key FROM page_news WHERE page = ?1 AND ?2 <= at AND at <= ?3 AND withdrawn = 0")?;
    readable(&mut select.query((page, now.minus(NEWS_GOOD_FOR).0, now.0))?, "key of a piece of news", |row| Ok(row.get(0)?))
}

/// A page does not say this any more.
pub(super) fn news_withdraw(desk: &Desk, page: &str, keys: &[String]) -> rusqlite::Result<()> {
    for key in keys {
        desk.conn.prepare_cached("UPDATE page_news SET withdrawn = 1 WHERE page = ?1 AND key = ?2")?.execute((page, key))?;
    }
    Ok(())
}

/// What is looked for: subscribers of a page who are told in one way, and for whom this node acts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) page: &'a str,
    pub(super) way: SubscriberWay,
    pub(super) homes: &'a Homes,
}

/// Whether [`claim`] would find something.
pub(super) fn is_due(conn: &Connection, line: Line<'_>, now: UnixMillis) -> rusqlite::Result<bool> {
    conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM subscribers
                        WHERE page = ?1 AND way = ?2 AND confirmed_at IS NULL AND owes_question = 1 AND next_at <= ?3
                          AND (?4 IS NULL OR home IN (SELECT value FROM json_each(?4))))
             OR EXISTS (SELECT 1 FROM subscribers
                        WHERE page = ?1 AND way = ?2 AND told_to < (SELECT max(id) FROM page_news WHERE page = ?1)
                          AND confirmed_at IS NOT NULL AND next_at <= ?3
                          AND (?4 IS NULL OR home IN (SELECT value FROM json_each(?4))))",
    )?
    .query_row((line.page, line.way.word(), now.0, line.homes.as_json()), |row| row.get(0))
}

/// The next errand of a page and way that is due, claimed for [`SUBSCRIBER_LEASE`].
pub(super) fn claim(desk: &Desk, line: Line<'_>, first: First, now: UnixMillis) -> rusqlite::Result<Option<Errand>> {
    let found = match first {
        First::Question => claim_question(desk, line, now)?,
        First::News => claim_news(desk, line, now)?,
    };
    match (found, first) {
        (Some(errand), _) => Ok(Some(errand)),
        (None, First::Question) => claim_news(desk, line, now),
        (None, First::News) => claim_question(desk, line, now),
    }
}

fn claim_question(desk: &Desk, line: Line<'_>, now: UnixMillis) -> rusqlite::Result<Option<Errand>> {
    let question: Option<i64> = desk
        .conn
        .prepare_cached(
            "SELECT id FROM subscribers
             WHERE page = ?1 AND way = ?2 AND confirmed_at IS NULL AND owes_question = 1 AND next_at <= ?3
               AND (?4 IS NULL OR home IN (SELECT value FROM json_each(?4)))
             ORDER BY next_at, id LIMIT 1",
        )?
        .query_row((line.page, line.way.word(), now.0, line.homes.as_json()), |row| row.get(0))
        .optional()?;
    question.map_or(Ok(None), |id| leased(desk, id, now))
}

/// Who is furthest behind, after those whom nothing has failed to reach: mailboxes that take nothing keep nobody else waiting. Asked for one
/// after the other, so that each is the first of an index, however many subscribers there are.
fn next_to_tell(desk: &Desk, line: Line<'_>, now: UnixMillis) -> rusqlite::Result<Option<i64>> {
    for has_failed in [false, true] {
        let next: Option<i64> = desk
            .conn
            .prepare_cached(
                "SELECT id FROM subscribers
                 WHERE page = ?1 AND way = ?2 AND told_to < (SELECT max(id) FROM page_news WHERE page = ?1)
                   AND confirmed_at IS NOT NULL AND next_at <= ?3 AND (n_failed > 0) = ?4
                   AND (?5 IS NULL OR home IN (SELECT value FROM json_each(?5)))
                 ORDER BY told_to, next_at, id LIMIT 1",
            )?
            .query_row((line.page, line.way.word(), now.0, has_failed, line.homes.as_json()), |row| row.get(0))
            .optional()?;
        if next.is_some() {
            return Ok(next);
        }
    }
    Ok(None)
}

fn claim_news(desk: &Desk, line: Line<'_>, now: UnixMillis) -> rusqlite::Result<Option<Errand>> {
    // Each turn either claims something or leaves a subscriber with nothing owed.
    for _ in 0..TURNS_MAX {
        let Some(id) = next_to_tell(desk, line, now)? else { return Ok(None) };
        fix(desk, id, now)?;
        match leased(desk, id, now)? {
            Some(errand) if errand.news.is_empty() => finish(desk, &errand.to.name, ErrandMark::Told { next_at: now })?,
            claimed => return Ok(claimed),
        }
    }
    // The others are still due, so whoever looks next goes on with them.
    Ok(None)
}

/// Fixes what the next attempt tells, if none has begun: the oldest news that it was told by nobody, and that are still to be told.
fn fix(desk: &Desk, id: i64, now: UnixMillis) -> rusqlite::Result<()> {
    desk.conn
        .prepare_cached(
            "UPDATE subscribers AS one SET telling_to = (SELECT max(id) FROM (
                 SELECT id FROM page_news WHERE page = one.page AND one.told_to < id ORDER BY id LIMIT ?2))
             WHERE id = ?1 AND telling_to IS NULL",
        )?
        .execute((id, NEWS_AT_ONCE))?;
    let mut select = desk.conn.prepare_cached(
        "SELECT news.key FROM subscribers AS one JOIN page_news AS news
             ON news.page = one.page AND one.told_to < news.id AND news.id <= one.telling_to
         WHERE one.id = ?1 AND one.telling IS NULL AND ?2 <= news.at AND news.withdrawn = 0
           AND NOT EXISTS (SELECT 1 FROM subscribers_told WHERE subscriber = one.id AND key = news.key)
         ORDER BY news.key",
    )?;
    let keys: Vec<String> = select.query_map((id, now.minus(NEWS_GOOD_FOR).0), |row| row.get(0))?.collect::<Result<_, _>>()?;
    desk.conn.prepare_cached("UPDATE subscribers SET telling = ?2 WHERE id = ?1 AND telling IS NULL")?.execute((id, json(&keys)))?;
    Ok(())
}

/// Claims a subscriber, and reads what it is to be told.
fn leased(desk: &Desk, id: i64, now: UnixMillis) -> rusqlite::Result<Option<Errand>> {
    desk.conn.prepare_cached("UPDATE subscribers SET next_at = ?2 WHERE id = ?1")?.execute((id, (now + SUBSCRIBER_LEASE).0))?;
    let mut select = desk.conn.prepare_cached(concat!(
        "SELECT ",
        columns!(),
        ", coalesce(telling, '[]'), n_failed, n_refused FROM subscribers WHERE id = ?1"
    ))?;
    let mut found = readable(&mut select.query([id])?, "subscriber", |row| {
        let telling: String = row.get(9)?;
        Ok((subscriber(row)?, serde_json::from_str(&telling).unwrap_or_default(), row.get(10)?, row.get(11)?))
    })?;
    let Some((to, keys, n_failed, n_refused)) = found.pop() else {
        // What makes no sense is left out from now on, or it would be found again and again.
        desk.conn.prepare_cached("DELETE FROM subscribers WHERE id = ?1")?.execute([id])?;
        return Ok(None);
    };
    let keys: Vec<String> = keys;
    let mut select = desk.conn.prepare_cached(
        "SELECT key, at, body FROM page_news
         WHERE page = ?1 AND key IN (SELECT value FROM json_each(?2)) AND ?3 <= at AND withdrawn = 0
           AND key NOT IN (SELECT key FROM subscribers_told WHERE subscriber = ?4)
         ORDER BY id",
    )?;
    let since = now.minus(NEWS_GOOD_FOR).0;
    let news = readable(&mut select.query((to.page.as_str(), json(&keys), since, id))?, "piece of news", |row| {
        Ok(NewsRow { key: row.get(0)?, at: UnixMillis(row.get(1)?), body: row.get(2)? })
    })?;
    Ok(Some(Errand { to, news, keys, n_failed, n_refused }))
}

/// Notes what became of an errand. Who has unsubscribed meanwhile stays forgotten; the key of that row may be somebody else's by then, which a
/// name never is.
pub(super) fn finish(desk: &Desk, name: &str, mark: ErrandMark) -> rusqlite::Result<()> {
    match mark {
        ErrandMark::Told { next_at } => {
            let id: Option<i64> = desk
                .conn
                .prepare_cached(
                    "UPDATE subscribers SET told_to = max(told_to, coalesce(telling_to, told_to)), telling_to = NULL, telling = NULL,
                         next_at = ?2, n_failed = 0, n_refused = 0, changed = ?3
                     WHERE name = ?1 RETURNING id",
                )?
                .query_row((name, next_at.0, share::stamp(desk)?), |row| row.get(0))
                .optional()?;
            return id.map_or(Ok(()), |id| share::let_go(desk, id));
        }
        ErrandMark::Asked { at } => desk
            .conn
            .prepare_cached(
                "UPDATE subscribers SET owes_question = 0, n_asked = n_asked + 1, next_at = ?2, n_failed = 0, n_refused = 0, changed = ?3
                 WHERE name = ?1",
            )?
            .execute((name, at.0, share::stamp(desk)?))?,
        ErrandMark::Confirmed { at } => {
            let newest = newest(&desk.conn)?;
            desk.conn
                .prepare_cached(
                    "UPDATE subscribers SET confirmed_at = ?2, told_to = ?3, owes_question = 0, next_at = ?2, n_failed = 0, n_refused = 0,
                         changed = ?4
                     WHERE name = ?1 AND confirmed_at IS NULL",
                )?
                .execute((name, at.0, newest, share::stamp(desk)?))?
        }
        ErrandMark::Failed { next_at, is_refused } => desk
            .conn
            .prepare_cached("UPDATE subscribers SET next_at = ?2, n_failed = n_failed + 1, n_refused = n_refused + ?3 WHERE name = ?1")?
            .execute((name, next_at.0, is_refused))?,
        ErrandMark::Gone { at } => usize::from(remove(desk, name, at)?),
    };
    Ok(())
}

/// Forgets who did not confirm, those of pages that are gone for long, and what was said long ago. `offering` are the ways that pages offer
/// now. Says how many subscribers were forgotten.
pub(super) fn tidy(desk: &Desk, offering: &[(PageSlug, SubscriberWay)], now: UnixMillis) -> rusqlite::Result<usize> {
    let unconfirmed = desk
        .conn
        .prepare_cached("DELETE FROM subscribers WHERE confirmed_at IS NULL AND asked_at < ?1")?
        .execute([now.minus(UNCONFIRMED_KEPT_FOR).0])?;
    let known: Vec<(String, String)> = desk
        .conn
        .prepare_cached("SELECT DISTINCT page, way FROM subscribers")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (page, way) in &known {
        if offering.iter().any(|(slug, offered)| slug.as_str() == page && offered.word() == way) {
            let sql = "UPDATE subscribers SET orphan_since = NULL WHERE page = ?1 AND way = ?2 AND orphan_since IS NOT NULL";
            desk.conn.prepare_cached(sql)?.execute((page, way))?;
        } else {
            let sql = "UPDATE subscribers SET orphan_since = ?3 WHERE page = ?1 AND way = ?2 AND orphan_since IS NULL";
            desk.conn.prepare_cached(sql)?.execute((page, way, now.0))?;
        }
    }
    let orphans = desk.conn.prepare_cached("DELETE FROM subscribers WHERE orphan_since < ?1")?.execute([now.minus(ORPHANS_KEPT_FOR).0])?;
    desk.conn.prepare_cached("DELETE FROM page_news WHERE noted_at < ?1")?.execute([now.minus(NEWS_KEPT_FOR).0])?;
    share::tidy(desk, now)?;
    Ok(unconfirmed + orphans)
}
