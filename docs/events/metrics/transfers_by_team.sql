-- Transfers by team: how many the members of each team started, by kind and by what came of them, and how many that is for each call that
-- they were in; who is in two teams counts in both.
WITH teams AS (
    SELECT id AS team, arg_max(data->'team', sequence) AS content
    FROM events WHERE type = 'directory.changed' AND about = 'team'
    GROUP BY id
), members AS (
    SELECT team, unnest(CAST(content->'agent_ids' AS VARCHAR[])) AS agent FROM teams
), over AS (
    SELECT data->>'transfer_id' AS transfer, split_part(type, '.', 2) AS outcome
    FROM events
    WHERE type IN ('transfer.completed', 'transfer.diverted', 'transfer.failed', 'transfer.cancelled', 'transfer.abandoned')
), started AS (
    SELECT data->>'initiator_agent_id' AS agent, data->>'kind' AS kind, coalesce(outcome, 'open') AS outcome
    FROM events LEFT JOIN over ON over.transfer = data->>'transfer_id'
    WHERE type = 'transfer.started'
), calls AS (
    SELECT team, count(*) AS calls
    FROM members JOIN events ON data->>'agent_id' = agent
    WHERE type = 'interaction.agent_left'
    GROUP BY team
)
SELECT team, kind, outcome, count(*) AS transfers, count(*) / any_value(calls) AS rate
FROM started JOIN members USING (agent) JOIN calls USING (team)
GROUP BY GROUPING SETS ((team), (team, kind), (team, kind, outcome))
ORDER BY team, kind, outcome;
