-- Longest wait: the longest time that a customer was in the queue of a team, whatever came of it, in all, by team, and by the half hour of
-- the entry.
SELECT
    data->>'team_id' AS team,
    time_bucket(INTERVAL 30 MINUTE, time - to_milliseconds(CAST(data->>'wait_ms' AS BIGINT))) AS half_hour,
    max(CAST(data->>'wait_ms' AS BIGINT)) AS longest_ms
FROM events
WHERE type = 'interaction.dequeued'
GROUP BY GROUPING SETS ((), (team), (half_hour))
ORDER BY team, half_hour;
