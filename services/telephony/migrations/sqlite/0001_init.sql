-- The newest plan of each interaction. After the end it is kept for a while as a tombstone, so that an old plan that comes
-- late is refused.
CREATE TABLE plans (
    interaction TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    version BIGINT NOT NULL,
    plan BYTEA NOT NULL,
    ended_at_us BIGINT
);

-- What happens once only: legs, announcements, exits, segments, the loss of a switch. The row is written before the switch is
-- asked, and takes the last observation afterwards.
CREATE TABLE things (
    interaction TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    -- Its name on the switch.
    name TEXT NOT NULL,
    -- A segment's recording; the version of the plan at which a switch was lost.
    detail TEXT NOT NULL,
    -- The run of the switch that was asked; empty when it is not known yet.
    boot_id TEXT NOT NULL,
    -- A baton.transfer.v1.Fact.
    fact BYTEA,
    -- The order of observations within the interaction.
    position BIGINT NOT NULL,
    -- The transfer service has committed the observation.
    acked BIGINT NOT NULL,
    PRIMARY KEY (interaction, kind, id)
);

-- Segments that are closed on the switch and not yet in the archive.
CREATE TABLE uploads (
    segment TEXT NOT NULL PRIMARY KEY,
    -- A baton.recording.v1.SegmentHeader.
    header BYTEA NOT NULL
);

CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL
);
