-- The interaction whose work is finished while wrap_up_until_us is set: the events say it.
ALTER TABLE standings ADD COLUMN wrap_up_interaction_id TEXT NOT NULL DEFAULT '';
