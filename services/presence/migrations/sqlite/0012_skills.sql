-- What an agent can do, for queues: `name=level` in the order of the names, with a space between.
ALTER TABLE agents ADD COLUMN skills TEXT NOT NULL DEFAULT '';
