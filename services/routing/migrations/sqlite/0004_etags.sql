-- Names what a flow, a number or a rule is like: another one after each change, so that nobody overwrites what they have not read.
ALTER TABLE call_flows ADD COLUMN etag TEXT NOT NULL DEFAULT 'initial';
ALTER TABLE numbers ADD COLUMN etag TEXT NOT NULL DEFAULT 'initial';
ALTER TABLE dial_rules ADD COLUMN etag TEXT NOT NULL DEFAULT 'initial';
