-- Names what an agent or a team is like: another one after each change, so that nobody overwrites what they have not read.
ALTER TABLE agents ADD COLUMN etag TEXT NOT NULL DEFAULT 'initial';
ALTER TABLE teams ADD COLUMN etag TEXT NOT NULL DEFAULT 'initial';
