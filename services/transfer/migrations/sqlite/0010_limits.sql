-- A tenant's own limits; 0: those of the configuration.
ALTER TABLE tenants ADD COLUMN calls_per_second BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tenants ADD COLUMN changes_per_second BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tenants ADD COLUMN stored_mib BIGINT NOT NULL DEFAULT 0;

-- How much of the disk a call takes, with its notes. What a tenant has stored is the sum, which is read from an index.
ALTER TABLE interactions ADD COLUMN stored_bytes BIGINT NOT NULL DEFAULT 0;
UPDATE interactions SET stored_bytes = OCTET_LENGTH(state)
    + COALESCE((SELECT SUM(OCTET_LENGTH(text)) FROM interaction_notes n WHERE n.interaction_id = interactions.id), 0);
DROP INDEX interactions_by_end;
CREATE INDEX interactions_by_end ON interactions (tenant, ended_at_us, stored_bytes) WHERE live = 0;
