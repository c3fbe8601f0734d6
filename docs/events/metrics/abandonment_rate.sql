-- Abandonment rate: the share of the calls that customers began in which they hung up before any agent had answered, in all, by number,
-- and by the half hour in which the call began.
SELECT
    opened.data->>'number' AS number,
    time_bucket(INTERVAL 30 MINUTE, opened.time) AS half_hour,
    avg(CAST(ended.data->>'answer_time' IS NULL AND ended.data->>'reason' = 'REASON_CUSTOMER_LEFT' AS INTEGER)) AS rate
FROM events AS opened JOIN events AS ended USING (id)
WHERE opened.type = 'interaction.opened' AND opened.data->>'direction' = 'DIRECTION_INBOUND' AND ended.type = 'interaction.ended'
GROUP BY GROUPING SETS ((), (number), (half_hour))
ORDER BY number, half_hour;
