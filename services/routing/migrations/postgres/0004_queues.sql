-- What ../sqlite/0009_queues.sql leads to; its comments say what the columns mean.

CREATE TABLE queues (
    tenant   TEXT  NOT NULL,
    queue_id UUID  NOT NULL,
    name_key TEXT  NOT NULL,
    queue    BYTEA NOT NULL,
    etag     TEXT  NOT NULL DEFAULT 'initial',
    look     TEXT  NOT NULL DEFAULT '',
    shape    TEXT  NOT NULL DEFAULT '',
    PRIMARY KEY (tenant, queue_id)
);
CREATE INDEX queues_by_name ON queues (tenant, name_key, queue_id);
CREATE INDEX queues_by_look ON queues (tenant, look);
CREATE INDEX queues_by_shape ON queues (tenant, shape);

ALTER TABLE waits ADD COLUMN queue_id UUID;
ALTER TABLE waits ADD COLUMN rank BIGINT NOT NULL DEFAULT 5;
ALTER TABLE waits ADD COLUMN stands_in UUID;
ALTER TABLE waits ADD COLUMN stands_since_us BIGINT NOT NULL DEFAULT 0;
DROP INDEX waits_by_team;
DROP INDEX waits_choosy;
CREATE INDEX waits_by_pool ON waits (tenant, COALESCE(team_id, queue_id), rank, since_us, interaction_id) WHERE state = 'waiting';
CREATE INDEX waits_choosy ON waits (tenant, rank, since_us, interaction_id) WHERE state = 'waiting' AND length(skip) > 0;
CREATE INDEX waits_standing ON waits (tenant, stands_in, stands_since_us) WHERE stands_in IS NOT NULL;

CREATE TABLE served (
    tenant         TEXT   NOT NULL,
    interaction_id TEXT   NOT NULL,
    agent_id       UUID   NOT NULL,
    since_us       BIGINT NOT NULL,
    queue_id       UUID   NOT NULL,
    waited_us      BIGINT NOT NULL,
    ended_us       BIGINT,
    PRIMARY KEY (tenant, interaction_id, agent_id, since_us)
);
CREATE INDEX served_by_queue ON served (tenant, queue_id, ended_us);
CREATE INDEX served_by_day ON served (tenant, since_us, agent_id);
CREATE INDEX served_over ON served (ended_us);

CREATE TABLE queue_turns (
    tenant   TEXT   NOT NULL,
    queue_id UUID   NOT NULL,
    agent_id UUID   NOT NULL,
    asked_us BIGINT NOT NULL,
    PRIMARY KEY (tenant, queue_id, agent_id)
);
