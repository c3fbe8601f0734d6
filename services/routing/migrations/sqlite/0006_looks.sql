-- What a flow's name looks like, in lower case and as it is written: whose is the same may be there to be taken for each other. Empty: written by a
-- version before; the next start fills it in.
ALTER TABLE call_flows ADD COLUMN look TEXT NOT NULL DEFAULT '';
ALTER TABLE call_flows ADD COLUMN shape TEXT NOT NULL DEFAULT '';
CREATE INDEX call_flows_by_look ON call_flows (tenant, look);
CREATE INDEX call_flows_by_shape ON call_flows (tenant, shape);
