-- Contacts per agent: how many calls each agent was in, how long they were in them, and how long they wrapped up, in all and on average.
WITH contacts AS (
    SELECT data->>'agent_id' AS agent, count(*) AS contacts, sum(CAST(data->>'duration_ms' AS BIGINT)) AS in_call_ms
    FROM events WHERE type = 'interaction.agent_left'
    GROUP BY agent
), wrap_ups AS (
    SELECT data->>'agent_id' AS agent, sum(CAST(data->>'previous_state_ms' AS BIGINT)) AS wrap_up_ms
    FROM events WHERE type = 'agent.state_changed' AND data->>'from' = 'AGENT_STATE_WRAP_UP'
    GROUP BY agent
)
SELECT agent, contacts, in_call_ms, coalesce(wrap_up_ms, 0) AS wrap_up_ms, (in_call_ms + coalesce(wrap_up_ms, 0)) / contacts AS average_ms
FROM contacts LEFT JOIN wrap_ups USING (agent)
ORDER BY agent;
