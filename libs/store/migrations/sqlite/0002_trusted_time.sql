-- One row: the last time that deletions trusted. A database from before begins with the time of its newest event.
CREATE TABLE store_trusted_time (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    time_us   BIGINT NOT NULL,
    -- How long Baton has run, in all, with a time that jumped ahead of that.
    waited_us BIGINT NOT NULL
);
INSERT INTO store_trusted_time (id, time_us, waited_us)
    SELECT 1, time_us, 0 FROM store_outbox ORDER BY position DESC LIMIT 1;
