-- Places where agents work: pickers are filtered by them (B301).
CREATE TABLE sites (
    tenant   TEXT   NOT NULL,
    site_id  UUID   NOT NULL,
    name     TEXT   NOT NULL,
    -- The name in one case, without accents: what lists are ordered by.
    name_key TEXT   NOT NULL,
    -- What the name looks like, in lower case and as it is written: whose is the same may be there to be taken for each other.
    look     TEXT   NOT NULL,
    shape    TEXT   NOT NULL,
    etag     TEXT   NOT NULL,
    version  BIGINT NOT NULL,
    PRIMARY KEY (tenant, site_id)
);
CREATE INDEX sites_by_name ON sites (tenant, name_key, site_id);
CREATE INDEX sites_by_look ON sites (tenant, look);
CREATE INDEX sites_by_shape ON sites (tenant, shape);

ALTER TABLE agents ADD COLUMN site_id UUID;
CREATE INDEX agents_by_site ON agents (tenant, site_id);
