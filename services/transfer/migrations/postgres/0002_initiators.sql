-- Who started a transfer: what they chose last is offered first (B502). Null: a version before wrote it.
ALTER TABLE transfers ADD COLUMN initiator_agent_id UUID;
CREATE INDEX transfers_by_initiator ON transfers (tenant, initiator_agent_id, started_at_us) WHERE initiator_agent_id IS NOT NULL;
