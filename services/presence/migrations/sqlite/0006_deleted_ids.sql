-- The ids of agents and teams that were deleted: nobody else gets them, and the tokens of such agents are refused (S6).
CREATE TABLE deleted_ids (
    tenant     TEXT   NOT NULL,
    what       TEXT   NOT NULL CHECK (what IN ('agent', 'team')),
    id         UUID   NOT NULL,
    deleted_us BIGINT NOT NULL,
    PRIMARY KEY (tenant, what, id)
);
CREATE INDEX deleted_ids_by_time ON deleted_ids (what, deleted_us);
