-- Listings of one agent's recordings go along an index of their own, newest interaction first, instead of over all that the
-- tenant has. It serves whatever the one before served.
ALTER TABLE recording_agents ADD COLUMN interaction_id TEXT NOT NULL DEFAULT '';
UPDATE recording_agents SET interaction_id = COALESCE(
    (SELECT r.interaction_id FROM recordings r
     WHERE r.tenant = recording_agents.tenant AND r.recording_id = recording_agents.recording_id), '');
CREATE INDEX recording_agents_newest ON recording_agents (tenant, agent_id, interaction_id);
DROP INDEX recording_agents_agent;

-- Who called is not kept for longer than what was said.
UPDATE recordings SET customer = '' WHERE purged_us IS NOT NULL;
