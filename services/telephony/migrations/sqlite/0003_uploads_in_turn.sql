-- When the segment is tried again, how often it could not be brought, and how often the archive would not have it.
ALTER TABLE uploads ADD COLUMN next_try_at_us BIGINT NOT NULL DEFAULT 0;
ALTER TABLE uploads ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;
ALTER TABLE uploads ADD COLUMN refusals BIGINT NOT NULL DEFAULT 0;
-- The archive will never have it. Its file stays on the switch for whoever looks into it.
ALTER TABLE uploads ADD COLUMN set_aside BIGINT NOT NULL DEFAULT 0;
CREATE INDEX uploads_in_turn ON uploads (next_try_at_us) WHERE set_aside = 0;
