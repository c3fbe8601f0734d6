-- Queues, who waits in them, and what agents got from them.

CREATE TABLE queues (
    tenant   TEXT  NOT NULL,
    queue_id UUID  NOT NULL,
    -- The name in lower case: what lists are ordered by.
    name_key TEXT  NOT NULL,
    -- baton.routing.v1.Queue, without its etag.
    queue    BYTEA NOT NULL,
    etag     TEXT  NOT NULL DEFAULT 'initial',
    -- What the name looks like, in lower case and as it is written.
    look     TEXT  NOT NULL DEFAULT '',
    shape    TEXT  NOT NULL DEFAULT '',
    PRIMARY KEY (tenant, queue_id)
);
CREATE INDEX queues_by_name ON queues (tenant, name_key, queue_id);
CREATE INDEX queues_by_look ON queues (tenant, look);
CREATE INDEX queues_by_shape ON queues (tenant, shape);

-- Of a wait in a queue; team_id is empty then.
ALTER TABLE waits ADD COLUMN queue_id UUID;
-- Lower first: 10 less the priority.
ALTER TABLE waits ADD COLUMN rank BIGINT NOT NULL DEFAULT 5;
-- The queue in which the customer stands, also while somebody is being asked.
ALTER TABLE waits ADD COLUMN stands_in UUID;
-- Since when they stand there.
ALTER TABLE waits ADD COLUMN stands_since_us BIGINT NOT NULL DEFAULT 0;
DROP INDEX waits_by_team;
DROP INDEX waits_choosy;
CREATE INDEX waits_by_pool ON waits (tenant, COALESCE(team_id, queue_id), rank, since_us, interaction_id) WHERE state = 'waiting';
CREATE INDEX waits_choosy ON waits (tenant, rank, since_us, interaction_id) WHERE state = 'waiting' AND length(skip) > 0;
CREATE INDEX waits_standing ON waits (tenant, stands_in, stands_since_us) WHERE stands_in IS NOT NULL;

-- What agents got from queues: for the estimate of waits, and for who has had the fewest calls.
CREATE TABLE served (
    tenant         TEXT   NOT NULL,
    interaction_id TEXT   NOT NULL,
    agent_id       UUID   NOT NULL,
    -- When they answered.
    since_us       BIGINT NOT NULL,
    queue_id       UUID   NOT NULL,
    -- How long the customer had waited.
    waited_us      BIGINT NOT NULL,
    -- When they were no longer in the call; NULL while they are.
    ended_us       BIGINT,
    PRIMARY KEY (tenant, interaction_id, agent_id, since_us)
);
CREATE INDEX served_by_queue ON served (tenant, queue_id, ended_us);
CREATE INDEX served_by_day ON served (tenant, since_us, agent_id);
CREATE INDEX served_over ON served (ended_us);

-- When an agent was last asked for a queue.
CREATE TABLE queue_turns (
    tenant   TEXT   NOT NULL,
    queue_id UUID   NOT NULL,
    agent_id UUID   NOT NULL,
    asked_us BIGINT NOT NULL,
    PRIMARY KEY (tenant, queue_id, agent_id)
);
