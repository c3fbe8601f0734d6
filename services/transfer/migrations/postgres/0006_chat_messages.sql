-- What was written in chats. The texts are kept beside the interaction, which is read and written as a whole with each change.
CREATE TABLE chat_messages (
    interaction_id UUID    NOT NULL,
    -- 1, 2, 3 in the order in which they were written.
    number         BIGINT  NOT NULL,
    -- The same of those that the customer sees; null: the agents alone see it.
    shown          BIGINT,
    author         JSONB   NOT NULL,
    -- An agent's display name; empty for the customer.
    author_name    TEXT    NOT NULL,
    by_customer    BOOLEAN NOT NULL,
    text           TEXT    NOT NULL,
    at_us          BIGINT  NOT NULL,
    -- By whom and under which id it was asked for: whoever asks again is answered with it.
    request_key    TEXT    NOT NULL,
    PRIMARY KEY (interaction_id, number)
);
CREATE UNIQUE INDEX chat_messages_by_request ON chat_messages (interaction_id, request_key);
