-- Service level 80/20: the share of the calls that were answered within 20 s of their beginning, of all that customers began without
-- those whom they gave up within 5 s, in all, by number, and by the half hour in which the call began; 80 % is the usual goal.
WITH contacts AS (
    SELECT
        opened.data->>'number' AS number,
        time_bucket(INTERVAL 30 MINUTE, opened.time) AS half_hour,
        epoch_ms(CAST(ended.data->>'answer_time' AS TIMESTAMP)) - epoch_ms(opened.time) AS answer_ms,
        CAST(ended.data->>'duration_ms' AS BIGINT) AS duration_ms,
        ended.data->>'reason' = 'REASON_CUSTOMER_LEFT' AS customer_left
    FROM events AS opened JOIN events AS ended USING (id)
    WHERE opened.type = 'interaction.opened' AND opened.data->>'direction' = 'DIRECTION_INBOUND' AND ended.type = 'interaction.ended'
)
SELECT number, half_hour, avg(CAST(coalesce(answer_ms <= 20000, false) AS INTEGER)) AS service_level
FROM contacts
WHERE NOT (answer_ms IS NULL AND customer_left AND duration_ms <= 5000)
GROUP BY GROUPING SETS ((), (number), (half_hour))
ORDER BY number, half_hour;
