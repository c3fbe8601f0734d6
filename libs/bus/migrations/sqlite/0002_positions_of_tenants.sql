-- Each tenant has positions of its own, 1, 2, 3… without holes, so that nobody can count another tenant's events.
ALTER TABLE log_events ADD COLUMN tenant_seq BIGINT NOT NULL DEFAULT 0;
UPDATE log_events SET tenant_seq = numbered.tenant_seq
    FROM (SELECT seq, ROW_NUMBER() OVER (PARTITION BY tenant ORDER BY seq) AS tenant_seq FROM log_events) AS numbered
    WHERE log_events.seq = numbered.seq;

-- The last position of each tenant; it outlives the events that retention deletes.
CREATE TABLE log_tenants (
    tenant TEXT PRIMARY KEY,
    last   BIGINT NOT NULL
);
INSERT INTO log_tenants (tenant, last) SELECT tenant, MAX(tenant_seq) FROM log_events GROUP BY tenant;

DROP INDEX log_events_tenant;
DROP INDEX log_events_aggregate;
CREATE UNIQUE INDEX log_events_tenant ON log_events (tenant, tenant_seq);
CREATE INDEX log_events_aggregate ON log_events (tenant, aggregate, tenant_seq);
CREATE INDEX log_events_time ON log_events (tenant, time_us, tenant_seq);
