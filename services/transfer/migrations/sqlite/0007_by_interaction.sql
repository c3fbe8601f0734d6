-- What belongs to an interaction is deleted with it.
CREATE INDEX interaction_agents_of ON interaction_agents (interaction_id);
CREATE INDEX interaction_teams_of ON interaction_teams (interaction_id);
