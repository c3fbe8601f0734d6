-- Average speed of answer: how long it took, from the beginning of a call to an agent's answer, on average over the calls that were
-- answered, in all, by number, and by the half hour in which the call began; and the longest.
WITH contacts AS (
    SELECT
        opened.data->>'number' AS number,
        time_bucket(INTERVAL 30 MINUTE, opened.time) AS half_hour,
        epoch_ms(CAST(ended.data->>'answer_time' AS TIMESTAMP)) - epoch_ms(opened.time) AS answer_ms
    FROM events AS opened JOIN events AS ended USING (id)
    WHERE opened.type = 'interaction.opened' AND opened.data->>'direction' = 'DIRECTION_INBOUND' AND ended.type = 'interaction.ended'
)
SELECT number, half_hour, avg(answer_ms) AS average_ms, max(answer_ms) AS longest_ms
FROM contacts
WHERE answer_ms IS NOT NULL
GROUP BY GROUPING SETS ((), (number), (half_hour))
ORDER BY number, half_hour;
