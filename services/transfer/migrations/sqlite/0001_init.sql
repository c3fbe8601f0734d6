-- One row an interaction: the whole aggregate, and what is looked up by.
CREATE TABLE interactions (
    id            UUID    NOT NULL PRIMARY KEY,
    tenant        TEXT    NOT NULL,
    version       BIGINT  NOT NULL,
    state         JSONB   NOT NULL,
    switch_leg    TEXT    NOT NULL,
    -- 1 while something of it is left to do in the world.
    live          BIGINT  NOT NULL,
    opened_at_us  BIGINT  NOT NULL
);
-- The same call reported twice is one interaction.
CREATE UNIQUE INDEX interactions_by_leg ON interactions (tenant, switch_leg);
CREATE INDEX interactions_by_tenant ON interactions (tenant, id);
CREATE INDEX interactions_live ON interactions (id) WHERE live = 1;

-- Which agents are or were a party: they may see it.
CREATE TABLE interaction_agents (
    interaction_id  UUID  NOT NULL,
    agent_id        UUID  NOT NULL,
    PRIMARY KEY (agent_id, interaction_id)
);

-- One row a transfer, for listing; the truth is in the interaction.
CREATE TABLE transfers (
    interaction_id  UUID    NOT NULL,
    number          BIGINT  NOT NULL,
    tenant          TEXT    NOT NULL,
    open            BIGINT  NOT NULL,
    started_at_us   BIGINT  NOT NULL,
    body            JSONB   NOT NULL,
    -- Who started it with which request id: so that a retry finds it.
    request_key     TEXT    NOT NULL,
    PRIMARY KEY (interaction_id, number)
);
CREATE INDEX transfers_by_tenant ON transfers (tenant, started_at_us, interaction_id, number);

-- Every version of every tenant's policy; interactions keep the version that they began with.
CREATE TABLE policies (
    tenant        TEXT    NOT NULL,
    version       BIGINT  NOT NULL,
    profile       TEXT    NOT NULL,
    overrides     TEXT    NOT NULL,
    entitlements  JSONB   NOT NULL,
    PRIMARY KEY (tenant, version)
);
