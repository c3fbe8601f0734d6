-- Who there is (agents, teams), how they are (standings), and who is taken by what (claims).
-- Times are microseconds since the Unix epoch. Every key begins with the tenant: the same id in two tenants is two things.

CREATE TABLE agents (
    tenant    TEXT    NOT NULL,
    agent_id  UUID    NOT NULL,
    name      TEXT    NOT NULL,
    -- The name in lower case: what lists are ordered by.
    name_key  TEXT    NOT NULL,
    email     TEXT    NOT NULL,
    phone     TEXT    NOT NULL,
    voicemail BOOLEAN NOT NULL,
    PRIMARY KEY (tenant, agent_id)
);
CREATE INDEX agents_by_name ON agents (tenant, name_key, agent_id);

CREATE TABLE teams (
    tenant   TEXT NOT NULL,
    team_id  UUID NOT NULL,
    name     TEXT NOT NULL,
    name_key TEXT NOT NULL,
    PRIMARY KEY (tenant, team_id)
);
CREATE INDEX teams_by_name ON teams (tenant, name_key, team_id);

CREATE TABLE team_members (
    tenant   TEXT NOT NULL,
    team_id  UUID NOT NULL,
    agent_id UUID NOT NULL,
    PRIMARY KEY (tenant, team_id, agent_id),
    FOREIGN KEY (tenant, team_id) REFERENCES teams (tenant, team_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant, agent_id) REFERENCES agents (tenant, agent_id) ON DELETE CASCADE
);
CREATE INDEX team_members_by_agent ON team_members (tenant, agent_id);

-- One row for each agent. Leases are not here: they live in memory, and only their first beginning and last end are written.
CREATE TABLE standings (
    tenant           TEXT    NOT NULL,
    agent_id         UUID    NOT NULL,
    -- They had a session when this was written.
    online           BOOLEAN NOT NULL,
    -- What they last chose: away (with a reason), or available.
    wish_away        BOOLEAN NOT NULL,
    away_reason      TEXT    NOT NULL,
    -- Automatic changes on top of the wish. A timer ends wrap-up; until then the column stays set.
    wrap_up_until_us BIGINT,
    not_responding   BOOLEAN NOT NULL,
    -- Since when the shown state is what it is.
    state_since_us   BIGINT  NOT NULL,
    -- When they last became available and unclaimed.
    idle_since_us    BIGINT  NOT NULL,
    PRIMARY KEY (tenant, agent_id),
    FOREIGN KEY (tenant, agent_id) REFERENCES agents (tenant, agent_id) ON DELETE CASCADE
);
CREATE INDEX standings_wrapping_up ON standings (wrap_up_until_us) WHERE wrap_up_until_us IS NOT NULL;

-- Every claim that was asked for, also those that are over: refused, expired and released are final for an id.
CREATE TABLE claims (
    tenant         TEXT    NOT NULL,
    claim_id       TEXT    NOT NULL,
    interaction_id TEXT    NOT NULL,
    agent_id       UUID    NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN ('reserved', 'engaged', 'released', 'expired', 'refused')),
    -- baton.common.v1.Reason: why it was refused or ended.
    reason         BIGINT  NOT NULL,
    expires_at_us  BIGINT  NOT NULL,
    -- baton.presence.v1.InboxItem
    inbox          BYTEA   NOT NULL,
    since_us       BIGINT  NOT NULL,
    -- The transfer service has acknowledged that it knows of the expiry.
    reported       BOOLEAN NOT NULL,
    PRIMARY KEY (tenant, claim_id)
);
-- A1: an agent has at most one claim. This index decides who gets them, and nothing else does.
CREATE UNIQUE INDEX claims_one_per_agent ON claims (tenant, agent_id) WHERE state IN ('reserved', 'engaged');
CREATE INDEX claims_by_interaction ON claims (tenant, interaction_id);
CREATE INDEX claims_expiring ON claims (expires_at_us) WHERE state = 'reserved';
CREATE INDEX claims_unreported ON claims (interaction_id) WHERE state = 'expired' AND NOT reported;

-- The newest version of each interaction that was seen: an older one changes nothing.
CREATE TABLE claim_versions (
    tenant         TEXT    NOT NULL,
    interaction_id TEXT    NOT NULL,
    version        BIGINT  NOT NULL,
    ended          BOOLEAN NOT NULL,
    updated_us     BIGINT  NOT NULL,
    PRIMARY KEY (tenant, interaction_id)
);
CREATE INDEX claim_versions_ended ON claim_versions (updated_us) WHERE ended;
