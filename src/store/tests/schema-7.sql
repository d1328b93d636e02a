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
