-- Contacts abandoned: how many customers hung up before any agent had answered, in all, by number, and by the half hour in which the call
-- began; while an agent's phone rang for them out of a team's queue, while they waited in a queue, or in the call flow outside of
-- queues.
WITH gave_up AS (
    SELECT
        id,
        bool_or(type = 'interaction.offer_failed' AND coalesce(data->>'team_id', '') <> '') AS while_ringing,
        bool_or(type = 'interaction.dequeued') AS in_queue
    FROM events
    WHERE type IN ('interaction.offer_failed', 'interaction.dequeued') AND data->>'reason' = 'REASON_CUSTOMER_LEFT'
    GROUP BY id
), contacts AS (
    SELECT
        opened.id,
        opened.data->>'number' AS number,
        time_bucket(INTERVAL 30 MINUTE, opened.time) AS half_hour,
        ended.data->>'answer_time' IS NULL AND ended.data->>'reason' = 'REASON_CUSTOMER_LEFT' AS abandoned
    FROM events AS opened JOIN events AS ended USING (id)
    WHERE opened.type = 'interaction.opened' AND opened.data->>'direction' = 'DIRECTION_INBOUND' AND ended.type = 'interaction.ended'
)
SELECT
    number,
    half_hour,
    count(*) FILTER (abandoned) AS abandoned,
    count(*) FILTER (abandoned AND while_ringing) AS while_ringing,
    count(*) FILTER (abandoned AND in_queue AND NOT while_ringing) AS in_queue,
    count(*) FILTER (abandoned AND NOT coalesce(in_queue OR while_ringing, false)) AS in_flow
FROM contacts LEFT JOIN gave_up USING (id)
GROUP BY GROUPING SETS ((), (number), (half_hour))
ORDER BY number, half_hour;
