-- end_seen: `recording.ended` has come, after which no segment is new. announced: `recording.stored` was published. end_us
-- alone says neither: the interaction's end sets it, too, and comes before the end of a segment that is still being closed.
ALTER TABLE recordings ADD COLUMN end_seen BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE recordings ADD COLUMN announced BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE recordings SET end_seen = (end_us IS NOT NULL), announced = (state IN ('STORED', 'INCOMPLETE', 'DELETED'));
