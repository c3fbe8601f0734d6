-- What interactions and transfers are looked up by.
ALTER TABLE interactions ADD COLUMN number TEXT NOT NULL DEFAULT '';
ALTER TABLE interactions ADD COLUMN customer_key TEXT NOT NULL DEFAULT '';
-- in_flow, with_agent, ending or ended.
ALTER TABLE interactions ADD COLUMN stage TEXT NOT NULL DEFAULT '';
UPDATE interactions SET number = state ->> '$.number', stage = CASE live WHEN 1 THEN 'in_flow' ELSE 'ended' END;
-- When the last of it was over; 0 while it is live.
ALTER TABLE interactions ADD COLUMN ended_at_us BIGINT NOT NULL DEFAULT 0;
UPDATE interactions SET ended_at_us = state ->> '$.updated_at_us' WHERE live = 0;
CREATE INDEX interactions_by_end ON interactions (tenant, ended_at_us) WHERE live = 0;
CREATE INDEX interactions_by_number ON interactions (tenant, number, id);
CREATE INDEX interactions_by_customer ON interactions (tenant, customer_key, id);

-- In whose team's queue it was.
CREATE TABLE interaction_teams (
    interaction_id  UUID  NOT NULL,
    team_id         UUID  NOT NULL,
    PRIMARY KEY (team_id, interaction_id)
);

ALTER TABLE transfers ADD COLUMN phase TEXT NOT NULL DEFAULT '';
UPDATE transfers SET phase = body ->> '$.phase';
