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
