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
