-- Offers not answered (RONA): how often an agent's phone rang, and of that how often they answered, let it ring out, or declined, or it
-- stopped for another reason (the customer hung up, it was taken back), without the calls that they placed themselves; in all, by agent,
-- and by the team whose queue it was for.
WITH own_calls AS (
    SELECT id FROM events WHERE type = 'interaction.opened' AND data->>'direction' = 'DIRECTION_OUTBOUND'
)
SELECT
    data->>'agent_id' AS agent,
    nullif(data->>'team_id', '') AS team,
    count(*) FILTER (type = 'interaction.agent_offered') AS offers,
    count(*) FILTER (type = 'interaction.agent_joined') AS answered,
    count(*) FILTER (data->>'reason' = 'REASON_NO_ANSWER') AS not_answered,
    count(*) FILTER (data->>'reason' = 'REASON_DECLINED') AS declined,
    count(*) FILTER (type = 'interaction.offer_failed' AND CAST(data->>'ring_ms' AS BIGINT) > 0
        AND data->>'reason' NOT IN ('REASON_NO_ANSWER', 'REASON_DECLINED')) AS withdrawn
FROM events
WHERE type IN ('interaction.agent_offered', 'interaction.agent_joined', 'interaction.offer_failed')
    AND (data->>'transfer_id' <> '' OR id NOT IN (FROM own_calls))
GROUP BY GROUPING SETS ((), (agent), (team))
HAVING grouping(team) = 1 OR team IS NOT NULL
ORDER BY agent, team;
