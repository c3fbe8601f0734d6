-- Which call goes where (call flows, numbers), and who waits for whom (waits).
-- Times are microseconds since the Unix epoch. Every key begins with the tenant.

CREATE TABLE call_flows (
    tenant       TEXT  NOT NULL,
    call_flow_id UUID  NOT NULL,
    -- The name in lower case: what lists are ordered by.
    name_key     TEXT  NOT NULL,
    -- baton.routing.v1.CallFlow
    flow         BYTEA NOT NULL,
    PRIMARY KEY (tenant, call_flow_id)
);
CREATE INDEX call_flows_by_name ON call_flows (tenant, name_key, call_flow_id);

CREATE TABLE numbers (
    tenant       TEXT NOT NULL,
    -- E.164.
    number       TEXT NOT NULL,
    -- NULL: a call to it is disconnected.
    call_flow_id UUID,
    PRIMARY KEY (tenant, number),
    FOREIGN KEY (tenant, call_flow_id) REFERENCES call_flows (tenant, call_flow_id)
);
CREATE INDEX numbers_by_flow ON numbers (tenant, call_flow_id);

-- The wait of each interaction, as of the newest version that was seen; a row that waits for nothing keeps the version.
CREATE TABLE waits (
    tenant         TEXT    NOT NULL,
    interaction_id TEXT    NOT NULL,
    version        BIGINT  NOT NULL,
    -- none: waits for nothing. waiting: nobody was found yet. proposed: an answer was found. exhausted: nobody is left.
    state          TEXT    NOT NULL CHECK (state IN ('none', 'waiting', 'proposed', 'exhausted')),
    wait_id        TEXT    NOT NULL,
    team_id        UUID,
    -- baton.presence.v1.ListCandidatesRequest, of which only skip_agent_ids is set.
    skip           BYTEA   NOT NULL,
    -- Its place in the queue.
    since_us       BIGINT  NOT NULL,
    -- baton.transfer.v1.ProposalFact: the answer to this wait id, once there is one.
    proposal       BYTEA   NOT NULL,
    -- The transfer service knows the answer.
    reported       BOOLEAN NOT NULL,
    updated_us     BIGINT  NOT NULL,
    PRIMARY KEY (tenant, interaction_id)
);
CREATE INDEX waits_waiting ON waits (tenant, since_us) WHERE state = 'waiting';
CREATE INDEX waits_unreported ON waits (interaction_id) WHERE state IN ('proposed', 'exhausted') AND NOT reported;
CREATE INDEX waits_over ON waits (updated_us) WHERE state = 'none';
