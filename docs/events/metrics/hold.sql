-- Hold: how many customers were put on hold, how often, for how long in all, and of that while agents consulted about them, in all and by
-- number.
SELECT
    data->>'number' AS number,
    count(*) FILTER (CAST(data->>'holds' AS BIGINT) > 0) AS customers,
    sum(CAST(data->>'holds' AS BIGINT)) AS holds,
    sum(CAST(data->>'hold_ms' AS BIGINT) + CAST(data->>'consult_ms' AS BIGINT)) AS hold_ms,
    sum(CAST(data->>'consult_ms' AS BIGINT)) AS consult_ms
FROM events
WHERE type = 'interaction.ended'
GROUP BY GROUPING SETS ((), (number))
ORDER BY number;
