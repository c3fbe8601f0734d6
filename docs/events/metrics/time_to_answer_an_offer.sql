-- Time to answer an offer: how long an agent's phone rang before they answered, on average and at most, without the calls that they placed
-- themselves; in all and by agent.
WITH own_calls AS (
    SELECT id FROM events WHERE type = 'interaction.opened' AND data->>'direction' = 'DIRECTION_OUTBOUND'
)
SELECT
    data->>'agent_id' AS agent,
    avg(CAST(data->>'ring_ms' AS BIGINT)) AS average_ms,
    max(CAST(data->>'ring_ms' AS BIGINT)) AS longest_ms
FROM events
WHERE type = 'interaction.agent_joined' AND (data->>'transfer_id' <> '' OR id NOT IN (FROM own_calls))
GROUP BY GROUPING SETS ((), (agent))
ORDER BY agent;
