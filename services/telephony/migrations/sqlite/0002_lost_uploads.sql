-- The segment was given up: a file that turns up later takes its place.
ALTER TABLE uploads ADD COLUMN lost BIGINT NOT NULL DEFAULT 0;
