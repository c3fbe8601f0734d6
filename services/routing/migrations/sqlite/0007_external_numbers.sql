-- Numbers outside to which agents can transfer. They can be dialled as far as `dial_rules` allows.

CREATE TABLE external_numbers (
    tenant             TEXT    NOT NULL,
    external_number_id UUID    NOT NULL,
    -- As people write it, and in the forms of `call_flows`.
    name               TEXT    NOT NULL,
    name_key           TEXT    NOT NULL,
    look               TEXT    NOT NULL,
    shape              TEXT    NOT NULL,
    -- E.164.
    number             TEXT    NOT NULL,
    -- Whoever is called sees the customer's number.
    forwarding         BOOLEAN NOT NULL,
    etag               TEXT    NOT NULL,
    PRIMARY KEY (tenant, external_number_id)
);
CREATE INDEX external_numbers_by_name ON external_numbers (tenant, name_key, external_number_id);
CREATE INDEX external_numbers_by_look ON external_numbers (tenant, look);
CREATE INDEX external_numbers_by_shape ON external_numbers (tenant, shape);
