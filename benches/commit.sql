-- What one durable change costs PostgreSQL and nothing else: a new state of 4 KB in its row and an event of 500 bytes, in one statement and one
-- transaction. Each client changes a row of its own; `benches/transfers` makes the tables, and gives :state and :event as texts.
WITH changed AS (
    UPDATE states SET version = version + 1, state = :state WHERE id = :client_id RETURNING id, version
)
INSERT INTO events (id, state_id, version, event)
SELECT gen_random_uuid(), id, version, :event FROM changed;
