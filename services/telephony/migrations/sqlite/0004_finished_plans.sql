-- The interaction has ended and nothing of it is left anywhere: only its tombstone is kept, and only for a while.
ALTER TABLE plans ADD COLUMN finished BIGINT NOT NULL DEFAULT 0;
CREATE INDEX plans_unfinished ON plans (interaction) WHERE finished = 0;
CREATE INDEX plans_tombstones ON plans (ended_at_us) WHERE finished = 1;
