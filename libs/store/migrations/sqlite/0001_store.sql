-- The tables that every service's own database has. Names start with `store_`, so that no service's table can clash.
-- Times are microseconds since the Unix epoch. `position` is the only column that is not portable as it stands:
-- SQLite wants exactly INTEGER PRIMARY KEY for a number that the database hands out.

-- Events that were written in the same transaction as the change which they tell of.
CREATE TABLE store_outbox (
    position     INTEGER PRIMARY KEY AUTOINCREMENT,
    id           UUID   NOT NULL UNIQUE,
    tenant       TEXT   NOT NULL,
    aggregate    TEXT   NOT NULL,
    sequence     BIGINT NOT NULL CHECK (sequence >= 1),
    event_type   TEXT   NOT NULL,
    area         TEXT   NOT NULL,
    payload      BYTEA  NOT NULL,
    actor        TEXT   NOT NULL,
    traceparent  TEXT   NOT NULL,
    time_us      BIGINT NOT NULL,
    published_us BIGINT,
    UNIQUE (tenant, aggregate, sequence)
);
CREATE INDEX store_outbox_unpublished ON store_outbox (position) WHERE published_us IS NULL;
CREATE INDEX store_outbox_published ON store_outbox (published_us) WHERE published_us IS NOT NULL;

-- The last sequence handed out, for aggregates that keep no counter in their own state.
CREATE TABLE store_sequences (
    tenant    TEXT   NOT NULL,
    aggregate TEXT   NOT NULL,
    last      BIGINT NOT NULL,
    PRIMARY KEY (tenant, aggregate)
);

-- What was asked under which request id, and what was answered. answer_code is a gRPC code; NULL means not answered yet.
CREATE TABLE store_requests (
    tenant         TEXT   NOT NULL,
    subject        TEXT   NOT NULL,
    method         TEXT   NOT NULL,
    request_id     TEXT   NOT NULL,
    body_hash      BYTEA  NOT NULL,
    started_us     BIGINT NOT NULL,
    answer_code    BIGINT,
    answer_message TEXT,
    answer_body    BYTEA,
    PRIMARY KEY (tenant, subject, method, request_id)
);
CREATE INDEX store_requests_started ON store_requests (started_us);

-- Events that a consumer has acted upon: written with the effect, so that a repeated event changes nothing.
CREATE TABLE store_inbox (
    consumer TEXT   NOT NULL,
    event_id UUID   NOT NULL,
    at_us    BIGINT NOT NULL,
    PRIMARY KEY (consumer, event_id)
);
CREATE INDEX store_inbox_at ON store_inbox (at_us);

-- How far each consumer has read the log.
CREATE TABLE store_cursors (
    consumer TEXT   NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL
);

-- Events that a consumer could not act upon, with the cause of the last try.
CREATE TABLE store_dead_letters (
    consumer   TEXT   NOT NULL,
    event_id   UUID   NOT NULL,
    position   BIGINT NOT NULL,
    tenant     TEXT   NOT NULL,
    aggregate  TEXT   NOT NULL,
    sequence   BIGINT NOT NULL,
    event_type TEXT   NOT NULL,
    payload    BYTEA  NOT NULL,
    tries      BIGINT NOT NULL,
    cause      TEXT   NOT NULL,
    at_us      BIGINT NOT NULL,
    PRIMARY KEY (consumer, event_id)
);
