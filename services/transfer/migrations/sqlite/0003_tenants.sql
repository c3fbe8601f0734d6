-- The tenants, as the operator of the installation made them.
CREATE TABLE tenants (
    tenant             TEXT    NOT NULL PRIMARY KEY,
    display_name       TEXT    NOT NULL,
    entitlements       JSONB   NOT NULL,
    -- Calls at the same time; 0 for no limit.
    live_interactions  BIGINT  NOT NULL,
    -- 1 while its tokens are refused.
    suspended          BIGINT  NOT NULL,
    suspend_reason     TEXT    NOT NULL,
    etag               TEXT    NOT NULL,
    -- 32 random bytes, from which the customers' pseudonyms are made; empty until the service has started once more.
    pseudonym_key      BYTEA   NOT NULL,
    created_us         BIGINT  NOT NULL,
    updated_us         BIGINT  NOT NULL
);
-- Whoever was a tenant before there were records goes on with what their plan was.
INSERT INTO tenants
    SELECT tenant, '', '["warm_transfer"]', 0, 0, '', 'first', x'', 0, 0 FROM (SELECT tenant FROM interactions UNION SELECT tenant FROM policies) AS known WHERE true;
UPDATE tenants SET entitlements = (SELECT p.entitlements FROM policies p WHERE p.tenant = tenants.tenant ORDER BY p.version DESC LIMIT 1)
    WHERE EXISTS (SELECT 1 FROM policies p WHERE p.tenant = tenants.tenant);
-- What a tenant's limit of calls counts.
CREATE INDEX interactions_live_by_tenant ON interactions (tenant) WHERE live = 1;
