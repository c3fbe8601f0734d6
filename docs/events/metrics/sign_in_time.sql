-- Sign-in time: how long each agent was signed in, in whatever state, and how often they signed in, by agent and in all.
SELECT
    data->>'agent_id' AS agent,
    count(*) FILTER (data->>'from' = 'AGENT_STATE_OFFLINE') AS sessions,
    coalesce(sum(CAST(data->>'previous_state_ms' AS BIGINT)) FILTER (data->>'from' <> 'AGENT_STATE_OFFLINE'), 0) AS signed_in_ms
FROM events
WHERE type = 'agent.state_changed'
GROUP BY GROUPING SETS ((), (agent))
ORDER BY agent;
