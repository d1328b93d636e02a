ALTER TABLE incidents ADD COLUMN diagnosis TEXT;

-- What is shared with peers and must survive a restart, in the form in which it travels. `until` is when it may be forgotten.
CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL, until INTEGER) STRICT, WITHOUT ROWID;
CREATE INDEX facts_by_end ON facts (until) WHERE until IS NOT NULL;
