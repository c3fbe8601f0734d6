-- The phone that a claim takes, as the agent had it then: two agents may share one, and only one of them can use it (F4). Empty: the claim was
-- made by a version before.
ALTER TABLE claims ADD COLUMN phone TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX claims_one_per_phone ON claims (tenant, phone) WHERE state IN ('reserved', 'engaged') AND phone <> '';
CREATE INDEX agents_by_phone ON agents (tenant, phone);
