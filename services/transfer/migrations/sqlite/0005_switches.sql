-- A leg's name is the switch's own: two switches may use the same one.
ALTER TABLE interactions ADD COLUMN switch_id TEXT NOT NULL DEFAULT 'main';
DROP INDEX interactions_by_leg;
CREATE UNIQUE INDEX interactions_by_leg ON interactions (tenant, switch_leg, switch_id);
