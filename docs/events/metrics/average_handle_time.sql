-- Average handle time: what an answered call cost, which is the time that the customer was with agents or on hold, and the wrap-up of all
-- its agents, on average over the answered calls that customers began, in all and by number.
WITH wrap_ups AS (
    SELECT data->>'interaction_id' AS id, sum(CAST(data->>'previous_state_ms' AS BIGINT)) AS wrap_up_ms
    FROM events
    WHERE type = 'agent.state_changed' AND data->>'from' = 'AGENT_STATE_WRAP_UP'
    GROUP BY ALL
), contacts AS (
    SELECT
        id,
        data->>'number' AS number,
        CAST(data->>'talk_ms' AS BIGINT) AS talk_ms,
        CAST(data->>'hold_ms' AS BIGINT) + CAST(data->>'consult_ms' AS BIGINT) AS hold_ms
    FROM events
    WHERE type = 'interaction.ended' AND data->>'direction' = 'DIRECTION_INBOUND' AND data->>'answer_time' IS NOT NULL
)
SELECT
    number,
    avg(talk_ms + hold_ms + coalesce(wrap_up_ms, 0)) AS average_ms,
    avg(talk_ms) AS talk_ms,
    avg(hold_ms) AS hold_ms,
    avg(coalesce(wrap_up_ms, 0)) AS wrap_up_ms
FROM contacts LEFT JOIN wrap_ups USING (id)
GROUP BY GROUPING SETS ((), (number))
ORDER BY number;
