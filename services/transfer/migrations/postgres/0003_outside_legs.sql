-- The legs to numbers outside that there are, each with the agent who had it dialled: what the caps of a policy count. Written with the interaction.
CREATE TABLE outside_legs (
    interaction_id UUID   NOT NULL,
    leg            BIGINT NOT NULL,
    tenant         TEXT   NOT NULL,
    agent_id       UUID   NOT NULL,
    PRIMARY KEY (interaction_id, leg)
);
CREATE INDEX outside_legs_by_agent ON outside_legs (tenant, agent_id);
