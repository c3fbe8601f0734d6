-- How many interactions of each medium an agent may have at once.
ALTER TABLE agents ADD COLUMN voice_capacity BIGINT NOT NULL DEFAULT 1;
ALTER TABLE agents ADD COLUMN chat_capacity BIGINT NOT NULL DEFAULT 3;
ALTER TABLE agents ADD COLUMN video_capacity BIGINT NOT NULL DEFAULT 1;
