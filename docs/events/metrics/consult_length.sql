-- Consult length: how long initiator and recipient talked in private, from the recipient's answer until all three were together or the
-- transfer was over, on average and in all, by what came of the transfer.
WITH consults AS (
    SELECT
        data->>'transfer_id' AS transfer,
        min(time) FILTER (type = 'transfer.consulting') AS began,
        min(time) FILTER (type <> 'transfer.consulting') AS ended,
        max(split_part(type, '.', 2)) FILTER (type NOT IN ('transfer.consulting', 'transfer.joined')) AS outcome
    FROM events
    WHERE type IN ('transfer.consulting', 'transfer.joined', 'transfer.completed', 'transfer.failed', 'transfer.cancelled',
        'transfer.abandoned', 'transfer.diverted')
    GROUP BY transfer
)
SELECT
    outcome,
    count(*) AS consults,
    avg(epoch_ms(ended) - epoch_ms(began)) AS average_ms,
    sum(epoch_ms(ended) - epoch_ms(began)) AS all_ms
FROM consults
WHERE began IS NOT NULL
GROUP BY GROUPING SETS ((), (outcome))
ORDER BY outcome;
