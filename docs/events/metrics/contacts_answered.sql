-- Contacts answered: how many calls that customers began were answered by an agent, in all, by number, and by the half hour in which they
-- began.
SELECT
    opened.data->>'number' AS number,
    time_bucket(INTERVAL 30 MINUTE, opened.time) AS half_hour,
    count(*) FILTER (ended.data->>'answer_time' IS NOT NULL) AS answered
FROM events AS opened JOIN events AS ended USING (id)
WHERE opened.type = 'interaction.opened' AND opened.data->>'direction' = 'DIRECTION_INBOUND' AND ended.type = 'interaction.ended'
GROUP BY GROUPING SETS ((), (number), (half_hour))
ORDER BY number, half_hour;
