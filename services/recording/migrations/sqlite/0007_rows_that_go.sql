-- What is known of a recording goes some time after its audio, and so does who has listened.
CREATE INDEX recordings_purged ON recordings (end_us) WHERE purged_us IS NOT NULL;
CREATE INDEX downloads_by_time ON downloads (at_us);
