-- For what an agent is wanted: 'voice' or 'chat'. Who has room for the one may have none for the other.
ALTER TABLE waits ADD COLUMN medium TEXT NOT NULL DEFAULT 'voice';
CREATE INDEX waits_of_chats ON waits (tenant, team_id) WHERE state = 'waiting' AND medium = 'chat';
