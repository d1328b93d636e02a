//! The tables, and how an older database becomes a current one.
//!
//! Migrations are only ever appended; a released one is never edited. Each runs in a transaction of its own together with the
//! version it leads to, so that a crash at any statement leaves the database at one version or the other. The version is kept
//! twice, in the file's header and in a table: the header is not covered by any check of SQLite, and a flipped bit there must
//! not look like a database from the future.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::OptionalExtension;

use crate::store::error::OpenError;
use crate::store::files;

/// SQL that leads from version `i` to version `i + 1`.
pub(super) const MIGRATIONS: &[&str] = &[V1, V2, V3, V4, V5, V6, V7, V8];

/// Tables are STRICT, so that a wrong type is an error where it is written and not where it is read years later. Monitors have
/// small integer keys because millions of rows carry one. Rows with a `WITHOUT ROWID` key are always read in the order of that key.
const V1: &str = "
CREATE TABLE migrations (version INTEGER PRIMARY KEY, at INTEGER NOT NULL) STRICT;

-- Every monitor that ever had something to keep. `id` is the one in the config.
CREATE TABLE monitors (key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;

-- What a restart must not lose; `state` is JSON.
CREATE TABLE monitor_states (monitor INTEGER PRIMARY KEY REFERENCES monitors (key), state TEXT NOT NULL) STRICT;

-- Newest results in order of arrival, without a second index: cheap to append. Moved to `result_blocks` when their five minutes are over.
CREATE TABLE results_hot (id INTEGER PRIMARY KEY, monitor INTEGER NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL) STRICT;

-- Results of one monitor and five minutes, packed.
CREATE TABLE result_blocks (
    monitor INTEGER NOT NULL, start INTEGER NOT NULL, n INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (monitor, start)
) STRICT, WITHOUT ROWID;

-- What happened during checks that were not up, line by line.
CREATE TABLE transcripts (
    id INTEGER PRIMARY KEY, monitor INTEGER NOT NULL, at INTEGER NOT NULL, n_dropped INTEGER NOT NULL, lines TEXT NOT NULL,
    UNIQUE (monitor, at)
) STRICT;

CREATE TABLE rollups_5m (monitor INTEGER NOT NULL, start INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (monitor, start)) STRICT, WITHOUT ROWID;
CREATE TABLE rollups_1h (monitor INTEGER NOT NULL, start INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (monitor, start)) STRICT, WITHOUT ROWID;

-- Hours in which a five-minute roll-up was written since their own roll-up was.
CREATE TABLE hours_due (monitor INTEGER NOT NULL, start INTEGER NOT NULL, PRIMARY KEY (monitor, start)) STRICT, WITHOUT ROWID;

-- Holds from `at` until the next one of the same monitor.
CREATE TABLE verdicts (monitor INTEGER NOT NULL, at INTEGER NOT NULL, verdict TEXT NOT NULL, PRIMARY KEY (monitor, at)) STRICT, WITHOUT ROWID;

CREATE TABLE incidents (
    id TEXT PRIMARY KEY, monitor INTEGER NOT NULL REFERENCES monitors (key), monitor_name TEXT NOT NULL,
    lane TEXT NOT NULL, epoch INTEGER NOT NULL, opened_at INTEGER NOT NULL, confirmed_at INTEGER NOT NULL,
    closed_at INTEGER, close_reason TEXT, cause TEXT NOT NULL, regions TEXT NOT NULL, confidence TEXT NOT NULL, evidence TEXT NOT NULL,
    CHECK ((closed_at IS NULL) = (close_reason IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX incidents_by_time ON incidents (opened_at);
CREATE INDEX incidents_by_monitor ON incidents (monitor, opened_at);
CREATE INDEX incidents_open ON incidents (opened_at) WHERE closed_at IS NULL;

-- Messages owed, and what became of them. `queue` is the monitor's id, or empty for notices about vigilmon itself: within one
-- channel and queue messages leave in the order of `id`. `due_at` of a leased row is the end of the lease.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, channel TEXT NOT NULL, queue TEXT NOT NULL,
    event TEXT NOT NULL, incident TEXT, at INTEGER NOT NULL, subject TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'dead')),
    due_at INTEGER NOT NULL, leased INTEGER NOT NULL DEFAULT 0, n_attempts INTEGER NOT NULL DEFAULT 0,
    ended_at INTEGER, last_error TEXT
) STRICT;
CREATE INDEX outbox_waiting ON outbox (channel, queue, id) WHERE state = 'waiting';
CREATE INDEX outbox_leased ON outbox (id) WHERE leased = 1;
CREATE INDEX outbox_ended ON outbox (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX outbox_by_incident ON outbox (incident, id) WHERE incident IS NOT NULL;

CREATE TABLE sessions (
    token_hash BLOB PRIMARY KEY CHECK (length(token_hash) = 32), user TEXT NOT NULL, created_at INTEGER NOT NULL, seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE named_values (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- One row: when vigilmon last said that it lives.
CREATE TABLE alive (one INTEGER PRIMARY KEY CHECK (one = 1), at INTEGER NOT NULL) STRICT;
";

/// Peers: what is shared with them, and what vantages inside and outside together say about an incident.
const V2: &str = "
ALTER TABLE incidents ADD COLUMN diagnosis TEXT;

-- What is shared with peers and must survive a restart, in the form in which it travels. `until` is when it may be forgotten.
CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL, until INTEGER) STRICT, WITHOUT ROWID;
CREATE INDEX facts_by_end ON facts (until) WHERE until IS NOT NULL;
";

/// Heartbeats.
const V3: &str = "
-- What is remembered of a heartbeat; `state` is JSON.
CREATE TABLE heartbeats (monitor INTEGER PRIMARY KEY REFERENCES monitors (key), state TEXT NOT NULL) STRICT;

-- The log of pings. `number` counts those of a heartbeat; without a `method` another node received it. A ping of our own touches
-- one page, where the ones before it are: every page more is a page more that is synced before the answer.
CREATE TABLE pings (
    monitor INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL, sequence INTEGER NOT NULL,
    node TEXT NOT NULL, kind TEXT NOT NULL, ignored TEXT, exit INTEGER, run TEXT, took_ms INTEGER, is_repeat INTEGER NOT NULL,
    method TEXT, address TEXT, agent TEXT, body_bytes INTEGER NOT NULL, body BLOB,
    PRIMARY KEY (monitor, number)
) STRICT, WITHOUT ROWID;
-- News of one ping may come more than once.
CREATE UNIQUE INDEX pings_of_others ON pings (monitor, node, sequence) WHERE method IS NULL;
";

/// What became of every attempt to deliver a message, and of every channel.
const V4: &str = "
-- `n` counts the attempts of a message. `code` is a status of HTTP, a reply of SMTP or an exit code, by `answered_by`.
CREATE TABLE attempts (
    message INTEGER NOT NULL REFERENCES outbox (id) ON DELETE CASCADE, n INTEGER NOT NULL,
    at INTEGER NOT NULL, took_ms INTEGER NOT NULL, outcome TEXT NOT NULL, until INTEGER, reason TEXT,
    answered_by TEXT, code INTEGER, said TEXT, PRIMARY KEY (message, n)
) STRICT, WITHOUT ROWID;

-- What the attempts say of a channel. `broken_since` is when it was marked as not delivering, by its first failed attempt.
CREATE TABLE channels (
    name TEXT PRIMARY KEY, accepted_at INTEGER, failing_since INTEGER, reason TEXT, rests_until INTEGER,
    broken_since INTEGER, mended_at INTEGER, told_at INTEGER, given_up_at INTEGER, elsewhere_at INTEGER
) STRICT, WITHOUT ROWID;

-- When a message that was given up was asked for again.
ALTER TABLE outbox ADD COLUMN again_at INTEGER;
CREATE INDEX outbox_by_channel ON outbox (channel, id);
CREATE INDEX outbox_dead ON outbox (channel, id, ended_at) WHERE state = 'dead';
";

/// Sessions of people who signed in at a provider of identities.
const V5: &str = "
-- What the provider said of them, as JSON; NULL for everybody else.
ALTER TABLE sessions ADD COLUMN said TEXT;
";

/// Threads at services.
const V6: &str = "
-- What the service calls the message, so that what follows can answer it; NULL when it said nothing.
ALTER TABLE outbox ADD COLUMN called TEXT;
";

/// Subscribers of status pages, and what they are told.
const V7: &str = "
-- One row for each address and page. `told_to` is the newest piece of news that it was told, or does not get; `telling_to` the newest that
-- an attempt tells which has begun. `owes_question` is 1 while it has to be asked whether it was meant. `tried_at` is when somebody
-- signed up with it last, known or not: so that the same is written, and takes as long, whether an address is known or not.
CREATE TABLE subscribers (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, page TEXT NOT NULL, way TEXT NOT NULL, address TEXT NOT NULL,
    language TEXT NOT NULL, asked_at INTEGER NOT NULL, tried_at INTEGER NOT NULL, confirmed_at INTEGER, owes_question INTEGER NOT NULL, n_asked INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER NOT NULL, told_to INTEGER NOT NULL, telling_to INTEGER, n_failed INTEGER NOT NULL DEFAULT 0,
    n_refused INTEGER NOT NULL DEFAULT 0, orphan_since INTEGER, UNIQUE (page, way, address)
) STRICT;
CREATE INDEX subscribers_behind ON subscribers (page, way, told_to, next_at);
CREATE INDEX subscribers_unconfirmed ON subscribers (page, way, next_at) WHERE confirmed_at IS NULL;

-- What a page said, once for all its subscribers. `key` tells it apart from everything else that the page says. `withdrawn` is 1 when the
-- page does not say it any more, so that nobody else is told.
CREATE TABLE page_news (
    id INTEGER PRIMARY KEY, page TEXT NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL, noted_at INTEGER NOT NULL,
    withdrawn INTEGER NOT NULL DEFAULT 0, UNIQUE (page, key)
) STRICT;
CREATE INDEX page_news_of ON page_news (page, id);
";

/// Subscribers are known on all nodes, repeats say so, recipients are told one by one, and notices do not wait for each other.
const V8: &str = "
-- An attempt began of which nobody noted the end, or had no answer: it may have arrived.
ALTER TABLE outbox ADD COLUMN unsure INTEGER NOT NULL DEFAULT 0;
UPDATE outbox SET unsure = 1 WHERE state <> 'sent' AND n_attempts > 0;
-- Of several recipients those that are still to be told, as JSON; NULL when it has not arrived at any, or at all.
ALTER TABLE outbox ADD COLUMN remaining TEXT;
-- Of a leased row the one whose key the attempt uses, when that is one behind it; NULL: its own.
ALTER TABLE outbox ADD COLUMN told INTEGER;
-- The queue of a notice about vigilmon itself is what it is about, with which its key begins. Those that wait do not know their end any more,
-- so that they go before it can come.
UPDATE outbox SET queue = key, due_at = at WHERE queue = '';

-- `home` is the node at which somebody signed up; empty: there were no peers then. `changed` is the number of the newest change that other
-- nodes have to hear of, counted in `subscribers_clock`; no two rows have the same. `told_from` is what was noted here before somebody
-- confirmed at another node: up to it nothing was told. `telling` are the keys of what an attempt tells that has begun, as JSON.
ALTER TABLE subscribers ADD COLUMN home TEXT NOT NULL DEFAULT '';
ALTER TABLE subscribers ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE subscribers ADD COLUMN told_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE subscribers ADD COLUMN telling TEXT;
UPDATE subscribers SET changed = id;
CREATE INDEX subscribers_changed ON subscribers (changed);
CREATE INDEX subscribers_by_home ON subscribers (home);

-- One row: the number of the newest change. It never goes back, whatever is deleted.
CREATE TABLE subscribers_clock (one INTEGER PRIMARY KEY CHECK (one = 1), changed INTEGER NOT NULL) STRICT;
INSERT INTO subscribers_clock SELECT 1, coalesce(max(id), 0) FROM subscribers;

-- Names of those who left or were forgotten for good, so that no node that was away brings them back. Nothing else of them is kept.
CREATE TABLE subscribers_gone (name TEXT PRIMARY KEY, at INTEGER NOT NULL, changed INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX subscribers_gone_changed ON subscribers_gone (changed);

-- What other nodes have told a subscriber and `told_to` has not come to yet. `at` is the time of the piece of news.
CREATE TABLE subscribers_told (
    subscriber INTEGER NOT NULL REFERENCES subscribers (id) ON DELETE CASCADE, key TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (subscriber, key)
) STRICT, WITHOUT ROWID;
";

/// What the versions in a database say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// There is nothing in it.
    Empty,
    /// Both places agree.
    At(i64),
    /// They do not: the file is damaged.
    Torn,
}

/// Reads the version in both places.
///
/// # Errors
/// As SQLite says it; damage included.
pub(super) fn version(conn: &Connection) -> rusqlite::Result<Version> {
    let header: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let n_tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if n_tables == 0 {
        return Ok(if header == 0 { Version::Empty } else { Version::Torn });
    }
    let known: Option<String> =
        conn.query_row("SELECT name FROM sqlite_schema WHERE name = 'migrations' AND type = 'table'", [], |row| row.get(0)).optional()?;
    if known.is_none() {
        return Ok(Version::Torn);
    }
    let table: Option<i64> = conn.query_row("SELECT max(version) FROM migrations", [], |row| row.get(0))?;
    Ok(if table == Some(header) { Version::At(header) } else { Version::Torn })
}

/// What [`migrate`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Migrated {
    /// Nothing was to be done, or the database is new.
    Current,
    /// It was at this version; a copy has this name.
    From(i64, String),
    /// It is damaged.
    Torn,
}

/// Brings a database to the end of `migrations`; keeps a copy before the first step of an upgrade.
///
/// # Errors
/// [`OpenError::TooNew`], or [`OpenError::Failed`] when the copy or a step did not work; the database is then as it was, or at
/// the version of the last step that did.
pub(super) fn migrate(conn: &mut Connection, dir: &Path, migrations: &[&str], at: i64) -> Result<Migrated, Failure> {
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    let found = match version(conn)? {
        Version::Torn => return Ok(Migrated::Torn),
        Version::Empty => 0,
        Version::At(found) => found,
    };
    if found > known {
        return Err(Failure::Open(OpenError::TooNew { found, known, copy: files::copy_to_restore(dir, known) }));
    }
    let copy = if found == 0 || found == known { None } else { Some(keep_copy(conn, dir, found)?) };
    for (i, sql) in migrations.iter().enumerate().skip(usize::try_from(found).unwrap_or(0)) {
        let tx = conn.transaction()?;
        let version = i64::try_from(i).unwrap_or(i64::MAX) + 1;
        tx.execute_batch(sql)?;
        tx.execute("INSERT INTO migrations (version, at) VALUES (?1, ?2)", (version, at))?;
        tx.pragma_update(None, "user_version", version)?;
        tx.commit()?;
    }
    Ok(copy.map_or(Migrated::Current, |copy| Migrated::From(found, copy)))
}

/// Why a migration did not work.
#[derive(Debug)]
pub(super) enum Failure {
    /// To be told as it is.
    Open(OpenError),
    /// SQLite's; may be damage.
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        Failure::Sql(error)
    }
}

/// A compact copy beside the database, named after the version it has not seen yet, complete or not there at all.
fn keep_copy(conn: &Connection, dir: &Path, found: i64) -> Result<String, Failure> {
    let name = files::copy_name(found + 1);
    let path = dir.join(&name);
    let unfinished = dir.join(format!("{name}.unfinished"));
    let refused = |error: std::io::Error| Failure::Open(OpenError::not_writable(&unfinished, &error));
    // VACUUM INTO accepts an empty file and keeps its permissions.
    files::remove_if_there(&unfinished).map_err(refused)?;
    drop(files::create_private(&unfinished).map_err(refused)?);
    conn.execute("VACUUM INTO ?1", [unfinished.to_string_lossy()])?;
    files::sync(&unfinished).map_err(refused)?;
    std::fs::rename(&unfinished, &path).map_err(refused)?;
    files::sync(dir).map_err(refused)?;
    Ok(name)
}
