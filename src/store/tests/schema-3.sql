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
