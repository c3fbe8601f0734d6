-- The view `events`, made of events.jsonl in the folder that DuckDB runs in: one row for each event. This file alone knows what the
-- envelope is like.
--
--   type      what happened, for example `interaction.ended`
--   about     what it is about: `interaction`, `agent`, `team`, …
--   id        which: of all events of an interaction this is the interaction's id
--   time      when it happened, UTC
--   data      the event's own fields; read text with `data->>'team_id'`, numbers with a cast
CREATE OR REPLACE VIEW events AS
WITH envelopes AS (
    SELECT coalesce(json->'event', json) AS event FROM read_ndjson_objects('events.jsonl')
)
SELECT
    regexp_replace(event->>'type', '^dev\.baton\.|\.v[0-9]+$', '', 'g') AS type,
    split_part(event->>'subject', '/', 1) AS about,
    split_part(event->>'subject', '/', 2) AS id,
    CAST(event->>'sequence' AS BIGINT) AS sequence,
    CAST(event->>'time' AS TIMESTAMP) AS time,
    -- The data is an object with a field that is named after the type, and beside it, of a call's events, `cause`.
    json_extract(event->'data', '$.' || [key for key in json_keys(event->'data') if key <> 'cause'][1]) AS data
FROM envelopes;
