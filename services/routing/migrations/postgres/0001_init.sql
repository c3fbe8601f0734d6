-- The configuration of call flows, numbers and dial rules, and what interactions wait for.
-- What the migrations of `../sqlite` lead to; their comments say what the columns mean.

CREATE TABLE call_flows (
    tenant       TEXT NOT NULL,
    call_flow_id UUID NOT NULL,
    name_key     TEXT NOT NULL,
    flow         BYTEA NOT NULL,
    etag         TEXT NOT NULL DEFAULT 'initial',
    look         TEXT NOT NULL DEFAULT '',
    shape        TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (tenant, call_flow_id)
);
CREATE INDEX call_flows_by_name ON call_flows (tenant, name_key, call_flow_id);
CREATE INDEX call_flows_by_look ON call_flows (tenant, look);
CREATE INDEX call_flows_by_shape ON call_flows (tenant, shape);

CREATE TABLE numbers (
    tenant       TEXT NOT NULL,
    number       TEXT NOT NULL,
    call_flow_id UUID,
    etag         TEXT NOT NULL DEFAULT 'initial',
    PRIMARY KEY (tenant, number),
    FOREIGN KEY (tenant, call_flow_id) REFERENCES call_flows (tenant, call_flow_id)
);
CREATE INDEX numbers_by_flow ON numbers (tenant, call_flow_id);
CREATE INDEX numbers_by_number ON numbers (number);

CREATE TABLE waits (
    tenant         TEXT NOT NULL,
    interaction_id TEXT NOT NULL,
    version        BIGINT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('none', 'waiting', 'proposed', 'exhausted')),
    wait_id        TEXT NOT NULL,
    team_id        UUID,
    skip           BYTEA NOT NULL,
    since_us       BIGINT NOT NULL,
    proposal       BYTEA NOT NULL,
    reported       BOOLEAN NOT NULL,
    updated_us     BIGINT NOT NULL,
    PRIMARY KEY (tenant, interaction_id)
);
CREATE INDEX waits_unreported ON waits (interaction_id) WHERE state IN ('proposed', 'exhausted') AND NOT reported;
CREATE INDEX waits_over ON waits (updated_us) WHERE state = 'none';
CREATE INDEX waits_by_team ON waits (tenant, team_id, since_us, interaction_id) WHERE state = 'waiting';
CREATE INDEX waits_choosy ON waits (tenant, since_us, interaction_id) WHERE state = 'waiting' AND length(skip) > 0;

CREATE TABLE dial_rules (
    tenant TEXT NOT NULL,
    prefix TEXT NOT NULL,
    etag   TEXT NOT NULL DEFAULT 'initial',
    PRIMARY KEY (tenant, prefix)
);
