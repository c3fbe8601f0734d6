-- What a name looks like: whose is the same may be there to be taken for each other. Empty: written by a version before; the next start fills it
-- in, with the name's key, which that version made in another way.
ALTER TABLE agents ADD COLUMN look TEXT NOT NULL DEFAULT '';
ALTER TABLE teams ADD COLUMN look TEXT NOT NULL DEFAULT '';
CREATE INDEX agents_by_look ON agents (tenant, look);
CREATE INDEX teams_by_look ON teams (tenant, look);
