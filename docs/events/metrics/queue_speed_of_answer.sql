-- Speed of answer of a queue: how long customers were in it until an agent answered, the ringing included, on average and at most, in all,
-- by team, and by the half hour of the entry.
SELECT
    data->>'team_id' AS team,
    time_bucket(INTERVAL 30 MINUTE, time - to_milliseconds(CAST(data->>'wait_ms' AS BIGINT))) AS half_hour,
    avg(CAST(data->>'wait_ms' AS BIGINT)) AS average_ms,
    max(CAST(data->>'wait_ms' AS BIGINT)) AS longest_ms
FROM events
WHERE type = 'interaction.dequeued' AND data->>'reason' = 'REASON_UNSPECIFIED'
GROUP BY GROUPING SETS ((), (team), (half_hour))
ORDER BY team, half_hour;
