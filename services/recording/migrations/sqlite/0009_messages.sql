-- What customers said after the beep. state: KEPT, NONE (nothing, or too little, was left: the row is there so that it is published
-- once), DELETED. left_us: when the customer began to speak; of NONE, when that became known. purged_us: the audio is gone from the
-- storage, too.
CREATE TABLE messages (
    tenant         TEXT    NOT NULL,
    message_id     TEXT    NOT NULL,
    interaction_id TEXT    NOT NULL,
    mailbox        TEXT    NOT NULL,
    customer       TEXT    NOT NULL,
    customer_key   TEXT    NOT NULL,
    phone_number   TEXT    NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN ('KEPT', 'NONE', 'DELETED')),
    left_us        BIGINT  NOT NULL,
    expire_us      BIGINT  NOT NULL,
    heard_us       BIGINT,
    torn           BOOLEAN NOT NULL DEFAULT FALSE,
    location       TEXT    NOT NULL DEFAULT '',
    sha256         TEXT    NOT NULL DEFAULT '',
    size_bytes     BIGINT  NOT NULL DEFAULT 0,
    data_offset    BIGINT  NOT NULL DEFAULT 0,
    data_bytes     BIGINT  NOT NULL DEFAULT 0,
    sample_rate    BIGINT  NOT NULL DEFAULT 0,
    channels       BIGINT  NOT NULL DEFAULT 0,
    deleted_us     BIGINT,
    deleted_by     TEXT    NOT NULL DEFAULT '',
    purged_us      BIGINT,
    PRIMARY KEY (tenant, message_id)
);
-- Each list reads an index from the end of the page before on: of a box or of all boxes, of all messages or of those that nobody has heard.
CREATE INDEX messages_newest ON messages (tenant, left_us, message_id) WHERE state = 'KEPT';
CREATE INDEX messages_of_box ON messages (tenant, mailbox, left_us, message_id) WHERE state = 'KEPT';
CREATE INDEX messages_unheard ON messages (tenant, left_us, message_id) WHERE state = 'KEPT' AND heard_us IS NULL;
CREATE INDEX messages_unheard_of_box ON messages (tenant, mailbox, left_us, message_id)
    WHERE state = 'KEPT' AND heard_us IS NULL;
CREATE INDEX messages_expiring ON messages (expire_us) WHERE state = 'KEPT';
CREATE INDEX messages_unpurged ON messages (deleted_us) WHERE state = 'DELETED' AND purged_us IS NULL;
CREATE INDEX messages_over ON messages (left_us) WHERE state = 'NONE' OR purged_us IS NOT NULL;
CREATE INDEX messages_by_customer ON messages (tenant, customer_key) WHERE state = 'KEPT';
CREATE INDEX messages_of_interaction ON messages (tenant, interaction_id);
