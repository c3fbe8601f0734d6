-- The tables that every service's own schema has, as the migrations of `../sqlite` make them there. Names start with `store_`, so that no service's
-- table can clash. Times are microseconds since the Unix epoch.

-- Events that were written in the same transaction as the change which they tell of. Positions are handed out in one order and commit in
-- another: who reads on from somewhere goes by the transaction.
CREATE TABLE store_outbox (
    position    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xact        XID8   NOT NULL DEFAULT pg_current_xact_id(),
    id          UUID   NOT NULL UNIQUE,
    tenant      TEXT   NOT NULL,
    aggregate   TEXT   NOT NULL,
    sequence    BIGINT NOT NULL CHECK (sequence >= 1),
    event_type  TEXT   NOT NULL,
    area        TEXT   NOT NULL,
    payload     BYTEA  NOT NULL,
    actor       TEXT   NOT NULL,
    traceparent TEXT   NOT NULL,
    time_us     BIGINT NOT NULL,
    UNIQUE (tenant, aggregate, sequence)
);
CREATE INDEX store_outbox_xact ON store_outbox (xact, position);

-- How far the outbox has been published: a copy of what the stream keeps.
CREATE TABLE store_published (
    id         BIGINT PRIMARY KEY CHECK (id = 1),
    generation TEXT   NOT NULL,
    cursor     TEXT   NOT NULL
);
INSERT INTO store_published (id, generation, cursor) VALUES (1, '', '//0');

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

-- One row: the last time that deletions trusted.
CREATE TABLE store_trusted_time (
    id        BIGINT PRIMARY KEY CHECK (id = 1),
    time_us   BIGINT NOT NULL,
    -- How long Baton has run, in all, with a time that jumped ahead of that.
    waited_us BIGINT NOT NULL
);
