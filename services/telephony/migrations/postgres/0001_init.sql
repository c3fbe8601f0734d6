-- What the switch is to do and has done.
-- What the migrations of `../sqlite` lead to; their comments say what the columns mean.

CREATE TABLE plans (
    interaction TEXT NOT NULL PRIMARY KEY,
    tenant      TEXT NOT NULL,
    version     BIGINT NOT NULL,
    plan        BYTEA NOT NULL,
    ended_at_us BIGINT,
    finished    BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX plans_unfinished ON plans (interaction) WHERE finished = 0;
CREATE INDEX plans_tombstones ON plans (ended_at_us) WHERE finished = 1;

CREATE TABLE things (
    interaction TEXT NOT NULL,
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    name        TEXT NOT NULL,
    detail      TEXT NOT NULL,
    boot_id     TEXT NOT NULL,
    fact        BYTEA,
    position    BIGINT NOT NULL,
    acked       BIGINT NOT NULL,
    PRIMARY KEY (interaction, kind, id)
);

CREATE TABLE uploads (
    segment        TEXT NOT NULL PRIMARY KEY,
    header         BYTEA NOT NULL,
    lost           BIGINT NOT NULL DEFAULT 0,
    next_try_at_us BIGINT NOT NULL DEFAULT 0,
    failures       BIGINT NOT NULL DEFAULT 0,
    refusals       BIGINT NOT NULL DEFAULT 0,
    set_aside      BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX uploads_in_turn ON uploads (next_try_at_us) WHERE set_aside = 0;

CREATE TABLE meta (
    name   TEXT NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL
);
