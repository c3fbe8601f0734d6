-- Which programs may use the service's tables: those that know this migration of the service or a later one. A migration that takes
-- something away raises it to the first one without any use of that.
CREATE TABLE store_schema (
    id         INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    min_reader BIGINT  NOT NULL
);
INSERT INTO store_schema (id, min_reader) VALUES (1, 0);
