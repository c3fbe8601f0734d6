-- A list of a time is read from there, and not from all calls of the tenant.
CREATE INDEX interactions_by_time ON interactions (tenant, opened_at_us, id);
