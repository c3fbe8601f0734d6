-- Away time: how long, and how often, agents were away, by the reason that they gave, and by agent and reason.
WITH states AS (
    SELECT
        data->>'agent_id' AS agent,
        data->>'from' AS state,
        CAST(data->>'previous_state_ms' AS BIGINT) AS state_ms,
        -- The reason stands in the event with which the state began.
        lag(data->>'away_reason') OVER (PARTITION BY id ORDER BY sequence) AS reason
    FROM events WHERE type = 'agent.state_changed'
)
SELECT agent, reason, count(*) AS times, sum(state_ms) AS away_ms
FROM states
WHERE state = 'AGENT_STATE_AWAY'
GROUP BY GROUPING SETS ((), (reason), (agent, reason))
ORDER BY agent, reason;
