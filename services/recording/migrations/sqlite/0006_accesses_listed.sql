-- The access log is read from its end: of a tenant, or of one recording.
CREATE INDEX downloads_newest ON downloads (tenant, at_us, id);
DROP INDEX downloads_recording;
CREATE INDEX downloads_of_recording ON downloads (tenant, recording_id, at_us, id);
