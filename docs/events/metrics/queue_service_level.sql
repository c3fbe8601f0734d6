-- Service level 80/20 of a queue: the share of its entries that an agent answered within 20 s, of all without those whom the customer gave
-- up within 5 s, in all, by team, and by the half hour of the entry.
SELECT
    data->>'team_id' AS team,
    time_bucket(INTERVAL 30 MINUTE, time - to_milliseconds(CAST(data->>'wait_ms' AS BIGINT))) AS half_hour,
    avg(CAST(data->>'reason' = 'REASON_UNSPECIFIED' AND CAST(data->>'wait_ms' AS BIGINT) <= 20000 AS INTEGER)) AS service_level
FROM events
WHERE type = 'interaction.dequeued' AND NOT (data->>'reason' = 'REASON_CUSTOMER_LEFT' AND CAST(data->>'wait_ms' AS BIGINT) <= 5000)
GROUP BY GROUPING SETS ((), (team), (half_hour))
ORDER BY team, half_hour;
