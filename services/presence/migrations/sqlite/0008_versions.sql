-- Which of two readings of an agent or a team is the newer one: grows with each change of anything that belongs to them, claims included.
ALTER TABLE standings ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE teams ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
