-- What customers go through without an agent. A tenant without rows has no IVR flows.

CREATE TABLE ivr_flows (
    tenant      TEXT  NOT NULL,
    ivr_flow_id UUID  NOT NULL,
    -- The name in lower case: what lists are ordered by.
    name_key    TEXT  NOT NULL,
    -- baton.routing.v1.IvrFlow, without its etag.
    flow        BYTEA NOT NULL,
    etag        TEXT  NOT NULL,
    -- What the name looks like, in lower case and as it is written.
    look        TEXT  NOT NULL,
    shape       TEXT  NOT NULL,
    PRIMARY KEY (tenant, ivr_flow_id)
);
CREATE INDEX ivr_flows_by_name ON ivr_flows (tenant, name_key, ivr_flow_id);
CREATE INDEX ivr_flows_by_look ON ivr_flows (tenant, look);
CREATE INDEX ivr_flows_by_shape ON ivr_flows (tenant, shape);
