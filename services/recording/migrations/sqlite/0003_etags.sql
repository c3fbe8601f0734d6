-- Names what a number's settings are like: another one after each change, so that nobody overwrites what they have not read.
ALTER TABLE recording_settings ADD COLUMN etag TEXT NOT NULL DEFAULT 'initial';
