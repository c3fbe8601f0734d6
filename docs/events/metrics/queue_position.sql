-- Position in a queue: at which place customers were who entered the queue of a team, where 1 is the next to be offered to an agent, on average
-- and at most, in all and by team.
SELECT
    data->>'team_id' AS team,
    avg(CAST(data->>'position' AS BIGINT)) AS average,
    max(CAST(data->>'position' AS BIGINT)) AS highest
FROM events
WHERE type = 'interaction.queued'
GROUP BY GROUPING SETS ((), (team))
ORDER BY team;
