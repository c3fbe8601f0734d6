-- Claims that wait until their agent is free (B504), in the order in which they came. One that is decided is a row of `claims`, and no longer here.
CREATE TABLE queued_claims (
    tenant         TEXT   NOT NULL,
    claim_id       TEXT   NOT NULL,
    interaction_id TEXT   NOT NULL,
    agent_id       UUID   NOT NULL,
    -- The states in which the agent may be reserved, as presence names them, separated by spaces.
    choosable      TEXT   NOT NULL,
    expires_at_us  BIGINT NOT NULL,
    -- baton.presence.v1.InboxItem
    inbox          BYTEA  NOT NULL,
    since_us       BIGINT NOT NULL,
    PRIMARY KEY (tenant, claim_id)
);
CREATE INDEX queued_claims_by_agent ON queued_claims (tenant, agent_id, since_us);
CREATE INDEX queued_claims_by_interaction ON queued_claims (tenant, interaction_id);
CREATE INDEX queued_claims_expiring ON queued_claims (expires_at_us);

-- It was granted after it had waited, and the transfer service has not acknowledged yet that it knows.
ALTER TABLE claims ADD COLUMN granted_late BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX claims_granted_late ON claims (interaction_id) WHERE granted_late;

-- The calls that the agent has yet to disposition, separated by spaces: the wrap-up goes on until they have, or until its time is over (B507).
ALTER TABLE standings ADD COLUMN wrap_up_due_ids TEXT NOT NULL DEFAULT '';
