-- When a call is to be looked at although nothing happens: its next deadline. 0: at once; the look corrects it.
ALTER TABLE interactions ADD COLUMN wake_at_us BIGINT;
UPDATE interactions SET wake_at_us = 0 WHERE live = 1;
CREATE INDEX interactions_waking ON interactions (wake_at_us, id) WHERE wake_at_us IS NOT NULL;
