-- What ../sqlite/0012_skills.sql leads to; its comments say what the columns mean.
ALTER TABLE agents ADD COLUMN skills TEXT NOT NULL DEFAULT '';
