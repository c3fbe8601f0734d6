-- A row each: with a hundred notes in the interaction's row, each change of the call wrote 400 kB anew.
CREATE TABLE interaction_notes (
    interaction_id  UUID    NOT NULL,
    -- 1, 2, 3 in the order in which they were written.
    number          BIGINT  NOT NULL,
    author          JSONB   NOT NULL,
    text            TEXT    NOT NULL,
    at_us           BIGINT  NOT NULL,
    PRIMARY KEY (interaction_id, number)
);
-- How many notes there are.
ALTER TABLE interactions ADD COLUMN notes BIGINT NOT NULL DEFAULT 0;
INSERT INTO interaction_notes (interaction_id, number, author, text, at_us)
    SELECT i.id, n.key + 1, n.value -> '$.author', n.value ->> '$.text', n.value ->> '$.at_us'
    FROM interactions i, json_each(i.state, '$.notes') n;
UPDATE interactions SET notes = json_array_length(state, '$.notes'), state = json_set(state, '$.notes', json('[]'))
    WHERE json_array_length(state, '$.notes') > 0;
