-- Who waits is read team by team, longest first, and those who skip somebody in their turn.

CREATE INDEX waits_by_team ON waits (tenant, team_id, since_us, interaction_id) WHERE state = 'waiting';
CREATE INDEX waits_choosy ON waits (tenant, since_us, interaction_id) WHERE state = 'waiting' AND length(skip) > 0;
DROP INDEX waits_waiting;
