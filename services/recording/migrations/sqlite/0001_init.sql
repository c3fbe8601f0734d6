-- What is recorded, what was, and who listened to it. Times are microseconds since the Unix epoch; ids are the text that
-- the transfer service gave. Everything is keyed by the tenant first, so that no statement can forget it.

-- What is recorded on a number. mode: baton.common.v1.RecordingMode.
CREATE TABLE recording_settings (
    tenant       TEXT   NOT NULL,
    phone_number TEXT   NOT NULL,
    mode         BIGINT NOT NULL,
    updated_us   BIGINT NOT NULL,
    PRIMARY KEY (tenant, phone_number)
);

-- One primary agent's turn with a customer, as the events told. deleted_us: nobody may listen any more; purged_us: the
-- audio is gone from the storage too.
CREATE TABLE recordings (
    tenant         TEXT   NOT NULL,
    recording_id   TEXT   NOT NULL,
    interaction_id TEXT   NOT NULL,
    number         BIGINT NOT NULL,
    state          TEXT   NOT NULL CHECK (state IN ('RECORDING', 'STORED', 'INCOMPLETE', 'DELETED')),
    agent_id       TEXT   NOT NULL,
    phone_number   TEXT   NOT NULL,
    customer       TEXT   NOT NULL,
    direction      BIGINT NOT NULL,
    start_us       BIGINT NOT NULL,
    end_us         BIGINT,
    expire_us      BIGINT NOT NULL,
    deleted_us     BIGINT,
    deleted_by     TEXT   NOT NULL DEFAULT '',
    purged_us      BIGINT,
    PRIMARY KEY (tenant, recording_id)
);
CREATE INDEX recordings_listed ON recordings (tenant, interaction_id, number);
CREATE INDEX recordings_open ON recordings (end_us) WHERE state = 'RECORDING';
CREATE INDEX recordings_expiring ON recordings (expire_us) WHERE deleted_us IS NULL;
CREATE INDEX recordings_unpurged ON recordings (deleted_us) WHERE deleted_us IS NOT NULL AND purged_us IS NULL;

-- Who is heard in a recording besides the customer: they may see it.
CREATE TABLE recording_agents (
    tenant       TEXT NOT NULL,
    recording_id TEXT NOT NULL,
    agent_id     TEXT NOT NULL,
    PRIMARY KEY (tenant, recording_id, agent_id)
);
CREATE INDEX recording_agents_agent ON recording_agents (tenant, agent_id);

-- One uninterrupted stretch of audio. Its events and its audio come on different ways, either may be first, and the row is
-- made by whichever is: so there is no reference to recordings. failed: the switch could not write it.
CREATE TABLE segments (
    tenant         TEXT    NOT NULL,
    segment_id     TEXT    NOT NULL,
    recording_id   TEXT    NOT NULL,
    interaction_id TEXT    NOT NULL,
    start_us       BIGINT,
    end_us         BIGINT,
    failed         BOOLEAN NOT NULL DEFAULT FALSE,
    audio          TEXT    NOT NULL DEFAULT 'AWAITED' CHECK (audio IN ('AWAITED', 'STORED', 'LOST', 'DELETED')),
    audio_us       BIGINT,
    torn           BOOLEAN NOT NULL DEFAULT FALSE,
    location       TEXT    NOT NULL DEFAULT '',
    sha256         TEXT    NOT NULL DEFAULT '',
    size_bytes     BIGINT  NOT NULL DEFAULT 0,
    data_offset    BIGINT  NOT NULL DEFAULT 0,
    data_bytes     BIGINT  NOT NULL DEFAULT 0,
    sample_rate    BIGINT  NOT NULL DEFAULT 0,
    channels       BIGINT  NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, segment_id)
);
CREATE INDEX segments_recording ON segments (tenant, recording_id);
CREATE INDEX segments_stored ON segments (audio_us) WHERE audio = 'STORED';

-- The manifest: what was left out of a recording. reason: baton.recording.v1.Exclusion.Reason.
CREATE TABLE exclusions (
    tenant       TEXT   NOT NULL,
    recording_id TEXT   NOT NULL,
    start_us     BIGINT NOT NULL,
    end_us       BIGINT NOT NULL,
    reason       BIGINT NOT NULL,
    PRIMARY KEY (tenant, recording_id, start_us, reason)
);

-- The access log: who was given audio, and when. Written before the first byte is sent.
CREATE TABLE downloads (
    id           UUID   NOT NULL PRIMARY KEY,
    tenant       TEXT   NOT NULL,
    recording_id TEXT   NOT NULL,
    segment_id   TEXT   NOT NULL,
    subject      TEXT   NOT NULL,
    role         TEXT   NOT NULL,
    at_us        BIGINT NOT NULL
);
CREATE INDEX downloads_recording ON downloads (tenant, recording_id, at_us);
