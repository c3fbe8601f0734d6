-- 1 once every service has accepted what follows from the last version of an interaction that is over. What is not told is told again by
-- the next start: nobody stays engaged for a call whose end was committed a moment before a crash.
ALTER TABLE interactions ADD COLUMN told BIGINT NOT NULL DEFAULT 0;
UPDATE interactions SET told = 1 WHERE live = 0;
CREATE INDEX interactions_untold ON interactions (id) WHERE told = 0;
DROP INDEX interactions_live;
