-- How far the outbox has been published is kept where it is published, with the events themselves. This is a copy of it, some minutes old:
-- for deletions, and for a stream that keeps nothing of that any more. Rows of the outbox are written once and deleted once.
CREATE TABLE store_published (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    -- Of which stream this is the cursor; empty: of the one that was there before there were cursors.
    generation TEXT    NOT NULL,
    cursor     TEXT    NOT NULL
);
INSERT INTO store_published (id, generation, cursor)
    SELECT 1, '', '//' || COALESCE(
        (SELECT MIN(position) - 1 FROM store_outbox WHERE published_us IS NULL),
        (SELECT MAX(position) FROM store_outbox),
        0);
DROP INDEX store_outbox_unpublished;
DROP INDEX store_outbox_published;
ALTER TABLE store_outbox DROP COLUMN published_us;
