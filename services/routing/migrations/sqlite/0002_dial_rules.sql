-- Which numbers outside may be dialled. A tenant without rows can dial nothing outside.

CREATE TABLE dial_rules (
    tenant TEXT NOT NULL,
    -- `+` and 1 to 15 digits: how the numbers begin.
    prefix TEXT NOT NULL,
    PRIMARY KEY (tenant, prefix)
);
