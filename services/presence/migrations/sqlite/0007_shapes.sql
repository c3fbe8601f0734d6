-- What a name looks like as it is written, beside what it looks like in lower case: capitals may be alike when small letters are not. Empty:
-- written by a version before; the next start fills it in.
ALTER TABLE agents ADD COLUMN shape TEXT NOT NULL DEFAULT '';
ALTER TABLE teams ADD COLUMN shape TEXT NOT NULL DEFAULT '';
CREATE INDEX agents_by_shape ON agents (tenant, shape);
CREATE INDEX teams_by_shape ON teams (tenant, shape);
