-- Who there is (agents, teams), how they are (standings), and who is taken by what (claims).
-- What the migrations of `../sqlite` lead to; their comments say what the columns mean.

CREATE TABLE agents (
    tenant    TEXT NOT NULL,
    agent_id  UUID NOT NULL,
    name      TEXT NOT NULL,
    name_key  TEXT NOT NULL,
    email     TEXT NOT NULL,
    phone     TEXT NOT NULL,
    voicemail BOOLEAN NOT NULL,
    etag      TEXT NOT NULL DEFAULT 'initial',
    look      TEXT NOT NULL DEFAULT '',
    shape     TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (tenant, agent_id)
);
CREATE INDEX agents_by_name ON agents (tenant, name_key, agent_id);
CREATE INDEX agents_by_look ON agents (tenant, look);
CREATE INDEX agents_by_phone ON agents (tenant, phone);
CREATE INDEX agents_by_shape ON agents (tenant, shape);

CREATE TABLE teams (
    tenant   TEXT NOT NULL,
    team_id  UUID NOT NULL,
    name     TEXT NOT NULL,
    name_key TEXT NOT NULL,
    etag     TEXT NOT NULL DEFAULT 'initial',
    look     TEXT NOT NULL DEFAULT '',
    shape    TEXT NOT NULL DEFAULT '',
    version  BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, team_id)
);
CREATE INDEX teams_by_name ON teams (tenant, name_key, team_id);
CREATE INDEX teams_by_look ON teams (tenant, look);
CREATE INDEX teams_by_shape ON teams (tenant, shape);

CREATE TABLE team_members (
    tenant   TEXT NOT NULL,
    team_id  UUID NOT NULL,
    agent_id UUID NOT NULL,
    PRIMARY KEY (tenant, team_id, agent_id),
    FOREIGN KEY (tenant, team_id) REFERENCES teams (tenant, team_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant, agent_id) REFERENCES agents (tenant, agent_id) ON DELETE CASCADE
);
CREATE INDEX team_members_by_agent ON team_members (tenant, agent_id);

CREATE TABLE standings (
    tenant                 TEXT NOT NULL,
    agent_id               UUID NOT NULL,
    online                 BOOLEAN NOT NULL,
    wish_away              BOOLEAN NOT NULL,
    away_reason            TEXT NOT NULL,
    wrap_up_until_us       BIGINT,
    not_responding         BOOLEAN NOT NULL,
    state_since_us         BIGINT NOT NULL,
    idle_since_us          BIGINT NOT NULL,
    wrap_up_interaction_id TEXT NOT NULL DEFAULT '',
    version                BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, agent_id),
    FOREIGN KEY (tenant, agent_id) REFERENCES agents (tenant, agent_id) ON DELETE CASCADE
);
CREATE INDEX standings_wrapping_up ON standings (wrap_up_until_us) WHERE wrap_up_until_us IS NOT NULL;

CREATE TABLE claims (
    tenant         TEXT NOT NULL,
    claim_id       TEXT NOT NULL,
    interaction_id TEXT NOT NULL,
    agent_id       UUID NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('reserved', 'engaged', 'released', 'expired', 'refused')),
    reason         BIGINT NOT NULL,
    expires_at_us  BIGINT NOT NULL,
    inbox          BYTEA NOT NULL,
    since_us       BIGINT NOT NULL,
    reported       BOOLEAN NOT NULL,
    phone          TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (tenant, claim_id)
);
CREATE UNIQUE INDEX claims_one_per_agent ON claims (tenant, agent_id) WHERE state IN ('reserved', 'engaged');
CREATE INDEX claims_by_interaction ON claims (tenant, interaction_id);
CREATE INDEX claims_expiring ON claims (expires_at_us) WHERE state = 'reserved';
CREATE INDEX claims_unreported ON claims (interaction_id) WHERE state = 'expired' AND NOT reported;
CREATE UNIQUE INDEX claims_one_per_phone ON claims (tenant, phone) WHERE state IN ('reserved', 'engaged') AND phone <> '';

CREATE TABLE claim_versions (
    tenant         TEXT NOT NULL,
    interaction_id TEXT NOT NULL,
    version        BIGINT NOT NULL,
    ended          BOOLEAN NOT NULL,
    updated_us     BIGINT NOT NULL,
    PRIMARY KEY (tenant, interaction_id)
);
CREATE INDEX claim_versions_ended ON claim_versions (updated_us) WHERE ended;

CREATE TABLE deleted_ids (
    tenant     TEXT NOT NULL,
    what       TEXT NOT NULL CHECK (what IN ('agent', 'team')),
    id         UUID NOT NULL,
    deleted_us BIGINT NOT NULL,
    PRIMARY KEY (tenant, what, id)
);
CREATE INDEX deleted_ids_by_time ON deleted_ids (what, deleted_us);
