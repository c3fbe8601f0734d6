-- Transfers: how many were started, by kind and by what came of them, and how many that is for each answered call.
WITH over AS (
    SELECT data->>'transfer_id' AS transfer, split_part(type, '.', 2) AS outcome
    FROM events
    WHERE type IN ('transfer.completed', 'transfer.diverted', 'transfer.failed', 'transfer.cancelled', 'transfer.abandoned')
), started AS (
    SELECT data->>'kind' AS kind, coalesce(outcome, 'open') AS outcome
    FROM events LEFT JOIN over ON over.transfer = data->>'transfer_id'
    WHERE type = 'transfer.started'
), answered AS (
    SELECT count(*) AS calls FROM events WHERE type = 'interaction.ended' AND data->>'answer_time' IS NOT NULL
)
SELECT kind, outcome, count(*) AS transfers, count(*) / any_value(calls) AS rate
FROM started CROSS JOIN answered
GROUP BY GROUPING SETS ((), (kind), (kind, outcome))
ORDER BY kind, outcome;
