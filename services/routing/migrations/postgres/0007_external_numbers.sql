-- What the migration `../sqlite/0007_external_numbers.sql` leads to; its comments say what the columns mean.

CREATE TABLE external_numbers (
    tenant             TEXT    NOT NULL,
    external_number_id UUID    NOT NULL,
    name               TEXT    NOT NULL,
    name_key           TEXT    NOT NULL,
    look               TEXT    NOT NULL,
    shape              TEXT    NOT NULL,
    number             TEXT    NOT NULL,
    forwarding         BOOLEAN NOT NULL,
    etag               TEXT    NOT NULL,
    PRIMARY KEY (tenant, external_number_id)
);
CREATE INDEX external_numbers_by_name ON external_numbers (tenant, name_key, external_number_id);
CREATE INDEX external_numbers_by_look ON external_numbers (tenant, look);
CREATE INDEX external_numbers_by_shape ON external_numbers (tenant, shape);
