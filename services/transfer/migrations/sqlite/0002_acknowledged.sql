-- 1 once every service has accepted what follows from the last version of an interaction that is over. What is not acknowledged is pushed again by
-- the next start: nobody stays engaged for a call whose end was committed a moment before a crash.
ALTER TABLE interactions ADD COLUMN acknowledged BIGINT NOT NULL DEFAULT 0;
UPDATE interactions SET acknowledged = 1 WHERE live = 0;
CREATE INDEX interactions_unacknowledged ON interactions (id) WHERE acknowledged = 0;
DROP INDEX interactions_live;
