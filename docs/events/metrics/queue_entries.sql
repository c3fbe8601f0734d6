-- Queue entries: how often customers entered the queue of a team, by a call flow or by a transfer, and how that ended: an agent answered,
-- the customer hung up, or it was given up (its time was over, or it was taken back); in all, by team, and by the half hour of the entry.
SELECT
    data->>'team_id' AS team,
    time_bucket(INTERVAL 30 MINUTE, time - to_milliseconds(CAST(data->>'wait_ms' AS BIGINT))) AS half_hour,
    count(*) AS entered,
    count(*) FILTER (data->>'transfer_id' <> '') AS by_transfer,
    count(*) FILTER (data->>'reason' = 'REASON_UNSPECIFIED') AS answered,
    count(*) FILTER (data->>'reason' = 'REASON_CUSTOMER_LEFT') AS abandoned,
    count(*) FILTER (data->>'reason' NOT IN ('REASON_UNSPECIFIED', 'REASON_CUSTOMER_LEFT')) AS given_up
FROM events
WHERE type = 'interaction.dequeued'
GROUP BY GROUPING SETS ((), (team), (half_hour))
ORDER BY team, half_hour;
