-- The last position, in the log and of a tenant, was written down with every append. It is that of the last event: what is written down now is the last
-- one that was deleted, which counts where none is left after it. In a log of before it is where that ended.
ALTER TABLE log_head RENAME COLUMN last TO deleted_to;
ALTER TABLE log_tenants RENAME COLUMN last TO deleted_to;
