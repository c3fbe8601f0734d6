-- Occupancy: the share of the time in which an agent was signed in and not away that they were in calls or wrapped up, by agent, and by
-- the team that they are a member of.
WITH states AS (
    SELECT
        data->>'agent_id' AS agent,
        sum(CAST(data->>'previous_state_ms' AS BIGINT))
            FILTER (data->>'from' NOT IN ('AGENT_STATE_OFFLINE', 'AGENT_STATE_AWAY')) AS present_ms,
        coalesce(sum(CAST(data->>'previous_state_ms' AS BIGINT)) FILTER (data->>'from' = 'AGENT_STATE_WRAP_UP'), 0) AS wrap_up_ms
    FROM events WHERE type = 'agent.state_changed'
    GROUP BY agent
), calls AS (
    SELECT data->>'agent_id' AS agent, sum(CAST(data->>'duration_ms' AS BIGINT)) AS in_call_ms
    FROM events WHERE type = 'interaction.agent_left'
    GROUP BY agent
), teams AS (
    SELECT id AS team, arg_max(data->'team', sequence) AS content
    FROM events WHERE type = 'directory.changed' AND about = 'team'
    GROUP BY id
), members AS (
    SELECT team, unnest(CAST(content->'agent_ids' AS VARCHAR[])) AS agent FROM teams
), groups AS (
    SELECT agent, NULL AS team FROM states UNION ALL SELECT agent, team FROM members
)
SELECT
    CASE WHEN team IS NULL THEN agent END AS agent,
    team,
    sum(coalesce(in_call_ms, 0) + wrap_up_ms) / sum(present_ms) AS occupancy
FROM groups JOIN states USING (agent) LEFT JOIN calls USING (agent)
GROUP BY ALL
ORDER BY agent, team;
