-- Waiting now: how many customers are in the queue of each team at a moment, and for how long the first of them has been, where the moment
-- is that of the variable `moment`, or now.
WITH moment AS (
    SELECT coalesce(CAST(getvariable('moment') AS TIMESTAMP), CAST(now() AS TIMESTAMP)) AS time
), entered AS (
    SELECT id, data->>'team_id' AS team, time, row_number() OVER (PARTITION BY id ORDER BY sequence) AS visit
    FROM events WHERE type = 'interaction.queued'
), left_it AS (
    SELECT id, time, row_number() OVER (PARTITION BY id ORDER BY sequence) AS visit
    FROM events WHERE type = 'interaction.dequeued'
)
SELECT
    team,
    count(*) AS waiting,
    max(epoch_ms(moment.time) - epoch_ms(entered.time)) AS longest_ms
FROM moment JOIN entered ON entered.time <= moment.time LEFT JOIN left_it USING (id, visit)
WHERE left_it.time IS NULL OR left_it.time > moment.time
GROUP BY team
ORDER BY team;
