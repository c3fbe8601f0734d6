-- Handle time of a queue: how long agents were in the calls that they answered out of it, and wrapped them up, on average over these answers,
-- in all and by team.
WITH joined AS (
    SELECT
        id, data->>'agent_id' AS agent, nullif(data->>'team_id', '') AS team,
        row_number() OVER (PARTITION BY id, agent ORDER BY sequence) AS visit
    FROM events WHERE type = 'interaction.agent_joined'
), left_it AS (
    SELECT
        id, data->>'agent_id' AS agent, CAST(data->>'duration_ms' AS BIGINT) AS in_call_ms,
        row_number() OVER (PARTITION BY id, agent ORDER BY sequence) AS visit
    FROM events WHERE type = 'interaction.agent_left'
), wrap_ups AS (
    SELECT
        data->>'interaction_id' AS id, data->>'agent_id' AS agent, CAST(data->>'previous_state_ms' AS BIGINT) AS wrap_up_ms,
        row_number() OVER (PARTITION BY data->>'interaction_id', agent ORDER BY sequence) AS visit
    FROM events WHERE type = 'agent.state_changed' AND data->>'from' = 'AGENT_STATE_WRAP_UP'
)
SELECT
    team,
    count(*) AS answered,
    avg(in_call_ms + coalesce(wrap_up_ms, 0)) AS average_ms,
    avg(in_call_ms) AS in_call_ms,
    avg(coalesce(wrap_up_ms, 0)) AS wrap_up_ms
FROM joined JOIN left_it USING (id, agent, visit) LEFT JOIN wrap_ups USING (id, agent, visit)
WHERE team IS NOT NULL
GROUP BY GROUPING SETS ((), (team))
ORDER BY team;
