-- Consult length: how long initiator and recipient talked in private while the customer was on hold, on average over the transfers in which
-- they did and in all, by what came of the transfer.
WITH steps AS (
    SELECT
        data->>'transfer_id' AS transfer,
        split_part(type, '.', 2) AS step,
        sequence,
        epoch_ms(lead(time) OVER (PARTITION BY transfer ORDER BY sequence)) - epoch_ms(time) AS step_ms
    FROM events
    WHERE type IN ('transfer.consulting', 'transfer.joined', 'transfer.completed', 'transfer.failed', 'transfer.cancelled',
        'transfer.abandoned', 'transfer.diverted')
), consults AS (
    SELECT
        sum(step_ms) FILTER (step = 'consulting') AS consult_ms,
        arg_max(step, sequence) AS outcome
    FROM steps
    GROUP BY transfer
)
SELECT outcome, count(*) AS consults, avg(consult_ms) AS average_ms, sum(consult_ms) AS all_ms
FROM consults
WHERE consult_ms IS NOT NULL
GROUP BY GROUPING SETS ((), (outcome))
ORDER BY outcome;
