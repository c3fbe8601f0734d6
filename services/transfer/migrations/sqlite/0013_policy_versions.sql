-- The version of the tenant's policy under which a call goes on: versions that no call has are deleted.
ALTER TABLE interactions ADD COLUMN policy_version BIGINT NOT NULL DEFAULT 0;
UPDATE interactions SET policy_version = state ->> '$.policy_version' WHERE state ->> '$.policy_version' IS NOT NULL;
