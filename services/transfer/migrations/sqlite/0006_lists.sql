-- The live calls of a tenant, newest first: a list of them must not read every call that there ever was.
DROP INDEX interactions_live_by_tenant;
CREATE INDEX interactions_live_newest ON interactions (tenant, id) WHERE live = 1;
-- Open transfers, newest first.
CREATE INDEX transfers_open_newest ON transfers (tenant, started_at_us, interaction_id, number) WHERE open = 1;
-- 0: is being offered the call. 1: was offered it, and no more. 2: has, or had, a part in it. Who was only offered it reads it no longer.
ALTER TABLE interaction_agents ADD COLUMN part BIGINT NOT NULL DEFAULT 2;
