-- The embedded event log: one file that all services of `baton up` append to. It is a copy of their outboxes and can be
-- rebuilt from them.

-- `seq` is handed out by the appender (1, 2, 3… without holes), not by the database: a repeated event takes no number.
CREATE TABLE log_events (
    seq         INTEGER PRIMARY KEY,
    id          UUID   NOT NULL UNIQUE,
    tenant      TEXT   NOT NULL,
    aggregate   TEXT   NOT NULL,
    sequence    BIGINT NOT NULL,
    event_type  TEXT   NOT NULL,
    area        TEXT   NOT NULL,
    payload     BYTEA  NOT NULL,
    actor       TEXT   NOT NULL,
    traceparent TEXT   NOT NULL,
    time_us     BIGINT NOT NULL,
    appended_us BIGINT NOT NULL
);
CREATE INDEX log_events_tenant ON log_events (tenant, seq);
CREATE INDEX log_events_aggregate ON log_events (aggregate, seq);
CREATE INDEX log_events_appended ON log_events (appended_us);

-- One row. `last` outlives the events that retention deletes; `generation` is made up with the log: one that was rebuilt has
-- another, because the same positions hold other events in it.
CREATE TABLE log_head (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    last       BIGINT NOT NULL,
    generation UUID   NOT NULL
);
