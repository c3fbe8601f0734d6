-- Recordings with their segments, messages, settings, and who has listened.
-- What the migrations of `../sqlite` lead to; their comments say what the columns mean.

CREATE TABLE recording_settings (
    tenant       TEXT NOT NULL,
    phone_number TEXT NOT NULL,
    mode         BIGINT NOT NULL,
    updated_us   BIGINT NOT NULL,
    etag         TEXT NOT NULL DEFAULT 'initial',
    PRIMARY KEY (tenant, phone_number)
);

CREATE TABLE recordings (
    tenant         TEXT NOT NULL,
    recording_id   TEXT NOT NULL,
    interaction_id TEXT NOT NULL,
    number         BIGINT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('RECORDING', 'STORED', 'INCOMPLETE', 'DELETED')),
    agent_id       TEXT NOT NULL,
    phone_number   TEXT NOT NULL,
    customer       TEXT NOT NULL,
    direction      BIGINT NOT NULL,
    start_us       BIGINT NOT NULL,
    end_us         BIGINT,
    expire_us      BIGINT NOT NULL,
    deleted_us     BIGINT,
    deleted_by     TEXT NOT NULL DEFAULT '',
    purged_us      BIGINT,
    customer_key   TEXT NOT NULL DEFAULT '',
    end_seen       BOOLEAN NOT NULL DEFAULT FALSE,
    announced      BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (tenant, recording_id)
);
CREATE INDEX recordings_listed ON recordings (tenant, interaction_id, number);
CREATE INDEX recordings_open ON recordings (end_us) WHERE state = 'RECORDING';
CREATE INDEX recordings_expiring ON recordings (expire_us) WHERE deleted_us IS NULL;
CREATE INDEX recordings_unpurged ON recordings (deleted_us) WHERE deleted_us IS NOT NULL AND purged_us IS NULL;
CREATE INDEX recordings_purged ON recordings (end_us) WHERE purged_us IS NOT NULL;
CREATE INDEX recordings_by_customer ON recordings (tenant, customer_key) WHERE purged_us IS NULL;

CREATE TABLE recording_agents (
    tenant         TEXT NOT NULL,
    recording_id   TEXT NOT NULL,
    agent_id       TEXT NOT NULL,
    interaction_id TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (tenant, recording_id, agent_id)
);
CREATE INDEX recording_agents_newest ON recording_agents (tenant, agent_id, interaction_id);

CREATE TABLE segments (
    tenant         TEXT NOT NULL,
    segment_id     TEXT NOT NULL,
    recording_id   TEXT NOT NULL,
    interaction_id TEXT NOT NULL,
    start_us       BIGINT,
    end_us         BIGINT,
    failed         BOOLEAN NOT NULL DEFAULT FALSE,
    audio          TEXT NOT NULL DEFAULT 'AWAITED' CHECK (audio IN ('AWAITED', 'STORED', 'LOST', 'DELETED')),
    audio_us       BIGINT,
    torn           BOOLEAN NOT NULL DEFAULT FALSE,
    location       TEXT NOT NULL DEFAULT '',
    sha256         TEXT NOT NULL DEFAULT '',
    size_bytes     BIGINT NOT NULL DEFAULT 0,
    data_offset    BIGINT NOT NULL DEFAULT 0,
    data_bytes     BIGINT NOT NULL DEFAULT 0,
    sample_rate    BIGINT NOT NULL DEFAULT 0,
    channels       BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, segment_id)
);
CREATE INDEX segments_recording ON segments (tenant, recording_id);
CREATE INDEX segments_stored ON segments (audio_us) WHERE audio = 'STORED';
CREATE INDEX segments_of_tenant ON segments (tenant, size_bytes) WHERE audio = 'STORED';

CREATE TABLE exclusions (
    tenant       TEXT NOT NULL,
    recording_id TEXT NOT NULL,
    start_us     BIGINT NOT NULL,
    end_us       BIGINT NOT NULL,
    reason       BIGINT NOT NULL,
    PRIMARY KEY (tenant, recording_id, start_us, reason)
);

CREATE TABLE downloads (
    id           UUID NOT NULL PRIMARY KEY,
    tenant       TEXT NOT NULL,
    recording_id TEXT NOT NULL,
    segment_id   TEXT NOT NULL,
    subject      TEXT NOT NULL,
    role         TEXT NOT NULL,
    at_us        BIGINT NOT NULL
);
CREATE INDEX downloads_newest ON downloads (tenant, at_us, id);
CREATE INDEX downloads_of_recording ON downloads (tenant, recording_id, at_us, id);
CREATE INDEX downloads_by_time ON downloads (at_us);

CREATE TABLE messages (
    tenant         TEXT NOT NULL,
    message_id     TEXT NOT NULL,
    interaction_id TEXT NOT NULL,
    mailbox        TEXT NOT NULL,
    customer       TEXT NOT NULL,
    customer_key   TEXT NOT NULL,
    phone_number   TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('KEPT', 'NONE', 'DELETED')),
    left_us        BIGINT NOT NULL,
    expire_us      BIGINT NOT NULL,
    heard_us       BIGINT,
    torn           BOOLEAN NOT NULL DEFAULT FALSE,
    location       TEXT NOT NULL DEFAULT '',
    sha256         TEXT NOT NULL DEFAULT '',
    size_bytes     BIGINT NOT NULL DEFAULT 0,
    data_offset    BIGINT NOT NULL DEFAULT 0,
    data_bytes     BIGINT NOT NULL DEFAULT 0,
    sample_rate    BIGINT NOT NULL DEFAULT 0,
    channels       BIGINT NOT NULL DEFAULT 0,
    deleted_us     BIGINT,
    deleted_by     TEXT NOT NULL DEFAULT '',
    purged_us      BIGINT,
    PRIMARY KEY (tenant, message_id)
);
CREATE INDEX messages_newest ON messages (tenant, left_us, message_id) WHERE state = 'KEPT';
CREATE INDEX messages_of_box ON messages (tenant, mailbox, left_us, message_id) WHERE state = 'KEPT';
CREATE INDEX messages_unheard ON messages (tenant, left_us, message_id) WHERE state = 'KEPT' AND heard_us IS NULL;
CREATE INDEX messages_unheard_of_box ON messages (tenant, mailbox, left_us, message_id) WHERE state = 'KEPT' AND heard_us IS NULL;
CREATE INDEX messages_expiring ON messages (expire_us) WHERE state = 'KEPT';
CREATE INDEX messages_unpurged ON messages (deleted_us) WHERE state = 'DELETED' AND purged_us IS NULL;
CREATE INDEX messages_over ON messages (left_us) WHERE state = 'NONE' OR purged_us IS NOT NULL;
CREATE INDEX messages_by_customer ON messages (tenant, customer_key) WHERE state = 'KEPT';
CREATE INDEX messages_of_interaction ON messages (tenant, interaction_id);
CREATE INDEX messages_of_tenant ON messages (tenant, size_bytes) WHERE state = 'KEPT';
