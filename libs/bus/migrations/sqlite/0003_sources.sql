-- How far the outbox of each service is in the log: moved in the transaction that appends the events, so that they are here once, in order, whoever
-- appends them.
CREATE TABLE log_sources (
    source TEXT NOT NULL PRIMARY KEY,
    cursor TEXT NOT NULL
);
