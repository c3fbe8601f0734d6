-- The last position, in the log and of a tenant, is that of the last event: it was also written down with every append. What is written down now is up
-- to where events were deleted, which is the last position where no event is left.
ALTER TABLE log_head RENAME COLUMN last TO deleted_to;
UPDATE log_head SET deleted_to = COALESCE((SELECT MIN(seq) - 1 FROM log_events), deleted_to);
ALTER TABLE log_tenants RENAME COLUMN last TO deleted_to;
UPDATE log_tenants SET deleted_to =
    COALESCE((SELECT MIN(tenant_seq) - 1 FROM log_events e WHERE e.tenant = log_tenants.tenant), deleted_to);
