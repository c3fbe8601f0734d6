-- Interactions with what belongs to them, transfers, tenants and their policies.
-- What the migrations of `../sqlite` lead to; their comments say what the columns mean.

CREATE TABLE interactions (
    id             UUID NOT NULL PRIMARY KEY,
    tenant         TEXT NOT NULL,
    version        BIGINT NOT NULL,
    state          TEXT NOT NULL,
    switch_leg     TEXT NOT NULL,
    live           BIGINT NOT NULL,
    opened_at_us   BIGINT NOT NULL,
    acknowledged   BIGINT NOT NULL DEFAULT 0,
    number         TEXT NOT NULL DEFAULT '',
    customer_key   TEXT NOT NULL DEFAULT '',
    stage          TEXT NOT NULL DEFAULT '',
    ended_at_us    BIGINT NOT NULL DEFAULT 0,
    switch_id      TEXT NOT NULL DEFAULT 'main',
    notes          BIGINT NOT NULL DEFAULT 0,
    stored_bytes   BIGINT NOT NULL DEFAULT 0,
    wake_at_us     BIGINT,
    policy_version BIGINT NOT NULL DEFAULT 0
)
-- Most updates change no index and stay on their page.
WITH (fillfactor = 60);
CREATE INDEX interactions_by_tenant ON interactions (tenant, id);
CREATE INDEX interactions_unacknowledged ON interactions (id) WHERE acknowledged = 0;
CREATE INDEX interactions_by_number ON interactions (tenant, number, id);
CREATE INDEX interactions_by_customer ON interactions (tenant, customer_key, id);
CREATE UNIQUE INDEX interactions_by_leg ON interactions (tenant, switch_leg, switch_id);
CREATE INDEX interactions_live_newest ON interactions (tenant, id) WHERE live = 1;
CREATE INDEX interactions_by_end ON interactions (tenant, ended_at_us, stored_bytes) WHERE live = 0;
CREATE INDEX interactions_by_time ON interactions (tenant, opened_at_us, id);
CREATE INDEX interactions_waking ON interactions (wake_at_us, id) WHERE wake_at_us IS NOT NULL;

CREATE TABLE interaction_agents (
    interaction_id UUID NOT NULL,
    agent_id       UUID NOT NULL,
    part           BIGINT NOT NULL DEFAULT 2,
    PRIMARY KEY (agent_id, interaction_id)
);
CREATE INDEX interaction_agents_of ON interaction_agents (interaction_id);

CREATE TABLE transfers (
    interaction_id UUID NOT NULL,
    number         BIGINT NOT NULL,
    tenant         TEXT NOT NULL,
    open           BIGINT NOT NULL,
    started_at_us  BIGINT NOT NULL,
    body           TEXT NOT NULL,
    request_key    TEXT NOT NULL,
    phase          TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (interaction_id, number)
);
CREATE INDEX transfers_by_tenant ON transfers (tenant, started_at_us, interaction_id, number);
CREATE INDEX transfers_open_newest ON transfers (tenant, started_at_us, interaction_id, number) WHERE open = 1;

CREATE TABLE policies (
    tenant       TEXT NOT NULL,
    version      BIGINT NOT NULL,
    profile      TEXT NOT NULL,
    overrides    TEXT NOT NULL,
    entitlements JSONB NOT NULL,
    PRIMARY KEY (tenant, version)
);

CREATE TABLE tenants (
    tenant               TEXT NOT NULL PRIMARY KEY,
    display_name         TEXT NOT NULL,
    entitlements         JSONB NOT NULL,
    live_interactions    BIGINT NOT NULL,
    suspended            BIGINT NOT NULL,
    suspend_reason       TEXT NOT NULL,
    etag                 TEXT NOT NULL,
    pseudonym_key        BYTEA NOT NULL,
    created_us           BIGINT NOT NULL,
    updated_us           BIGINT NOT NULL,
    granted_numbers      JSONB NOT NULL,
    granted_destinations JSONB NOT NULL,
    calls_per_second     BIGINT NOT NULL DEFAULT 0,
    changes_per_second   BIGINT NOT NULL DEFAULT 0,
    stored_mib           BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE interaction_teams (
    interaction_id UUID NOT NULL,
    team_id        UUID NOT NULL,
    PRIMARY KEY (team_id, interaction_id)
);
CREATE INDEX interaction_teams_of ON interaction_teams (interaction_id);

CREATE TABLE interaction_notes (
    interaction_id UUID NOT NULL,
    number         BIGINT NOT NULL,
    author         JSONB NOT NULL,
    text           TEXT NOT NULL,
    at_us          BIGINT NOT NULL,
    PRIMARY KEY (interaction_id, number)
);
