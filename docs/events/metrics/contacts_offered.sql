-- Contacts offered: how many calls customers began, in all, by the number that they called, and by the half hour in which they began.
SELECT
    data->>'number' AS number,
    time_bucket(INTERVAL 30 MINUTE, time) AS half_hour,
    count(*) AS offered
FROM events
WHERE type = 'interaction.opened' AND data->>'direction' = 'DIRECTION_INBOUND'
GROUP BY GROUPING SETS ((), (number), (half_hour))
ORDER BY number, half_hour;
