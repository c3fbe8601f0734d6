-- An agent may have several claims at once: one for a call, and so many for chats as their capacity says. Each has a place of its own.
ALTER TABLE claims ADD COLUMN medium TEXT NOT NULL DEFAULT 'voice';
ALTER TABLE claims ADD COLUMN slot BIGINT NOT NULL DEFAULT 1;
DROP INDEX claims_one_per_agent;
-- A1: at most one claim in each place. This index decides who gets an agent, and nothing else does.
CREATE UNIQUE INDEX claims_one_per_slot ON claims (tenant, agent_id, medium, slot) WHERE state IN ('reserved', 'engaged');
