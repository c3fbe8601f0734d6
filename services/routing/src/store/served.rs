//! What agents got from queues, and when they were last asked for one.

use std::collections::HashMap;

use baton_runtime::auth::TenantId;
use baton_store::{Reader, StoreError, Tx, on};
use uuid::Uuid;

/// An agent whom a queue has found, while they are in the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ServedCall {
    pub(crate) queue: Uuid,
    pub(crate) agent: Uuid,
    /// When they answered.
    pub(crate) since_us: i64,
    pub(crate) waited_us: i64,
}

/// Makes what is kept of an interaction what it is now: whoever is not listed has left.
pub(crate) async fn sync(
    tx: &mut Tx,
    tenant: &TenantId,
    interaction: &str,
    calls: &[ServedCall],
    now_us: i64,
) -> Result<(), StoreError> {
    let open: Vec<(Uuid, i64)> = on!(tx, conn => sqlx::query_as(
        "SELECT agent_id, since_us FROM served WHERE tenant = $1 AND interaction_id = $2 AND ended_us IS NULL")
        .bind(tenant.as_str())
        .bind(interaction)
        .fetch_all(conn)
        .await)?;
    for (agent, since_us) in &open {
        if calls.iter().any(|it| (it.agent, it.since_us) == (*agent, *since_us)) {
            continue;
        }
        tx.statement(
            "UPDATE served SET ended_us = $5 WHERE tenant = $1 AND interaction_id = $2 AND agent_id = $3 AND since_us = $4",
        )
        .bind(tenant.as_str())
        .bind(interaction)
        .bind(*agent)
        .bind(*since_us)
        .bind(now_us)
        .run()
        .await?;
    }
    for call in calls.iter().filter(|it| !open.contains(&(it.agent, it.since_us))) {
        tx.statement(
            "INSERT INTO served (tenant, interaction_id, agent_id, since_us, queue_id, waited_us)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        )
        .bind(tenant.as_str())
        .bind(interaction)
        .bind(call.agent)
        .bind(call.since_us)
        .bind(call.queue)
        .bind(call.waited_us)
        .run()
        .await?;
    }
    Ok(())
}

/// How many calls each agent got from queues since then.
pub(crate) async fn calls_since(
    reader: &mut Reader,
    tenant: &TenantId,
    from_us: i64,
) -> Result<HashMap<String, i64>, StoreError> {
    let rows: Vec<(Uuid, i64)> = on!(reader, conn => sqlx::query_as(
        "SELECT agent_id, COUNT(*) FROM served WHERE tenant = $1 AND since_us >= $2 GROUP BY agent_id")
        .bind(tenant.as_str())
        .bind(from_us)
        .fetch_all(conn)
        .await)?;
    Ok(rows.into_iter().map(|(agent, calls)| (agent.to_string(), calls)).collect())
}

/// How many calls of a queue are with an agent.
pub(crate) async fn being_served(reader: &mut Reader, tenant: &TenantId, queue: Uuid) -> Result<i64, StoreError> {
    Ok(on!(reader, conn => sqlx::query_scalar(
        "SELECT COUNT(*) FROM served WHERE tenant = $1 AND queue_id = $2 AND ended_us IS NULL")
        .bind(tenant.as_str())
        .bind(queue)
        .fetch_one(conn)
        .await)?)
}

/// How long the last calls of a queue took that are over, newest first, at most `most`; microseconds.
pub(crate) async fn handling_us(
    reader: &mut Reader,
    tenant: &TenantId,
    queue: Uuid,
    most: i64,
) -> Result<Vec<i64>, StoreError> {
    Ok(on!(reader, conn => sqlx::query_scalar(
        "SELECT ended_us - since_us FROM served WHERE tenant = $1 AND queue_id = $2 AND ended_us IS NOT NULL
         ORDER BY ended_us DESC LIMIT $3")
        .bind(tenant.as_str())
        .bind(queue)
        .bind(most)
        .fetch_all(conn)
        .await)?)
}

/// An agent is asked for a queue.
pub(crate) async fn asked(
    tx: &mut Tx,
    tenant: &TenantId,
    queue: Uuid,
    agent: Uuid,
    now_us: i64,
) -> Result<(), StoreError> {
    tx.statement(
        "INSERT INTO queue_turns (tenant, queue_id, agent_id, asked_us) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant, queue_id, agent_id) DO UPDATE SET asked_us = $4",
    )
    .bind(tenant.as_str())
    .bind(queue)
    .bind(agent)
    .bind(now_us)
    .run()
    .await?;
    Ok(())
}

/// When each agent was last asked for a queue.
pub(crate) async fn last_asked(
    reader: &mut Reader,
    tenant: &TenantId,
    queue: Uuid,
) -> Result<HashMap<String, i64>, StoreError> {
    let rows: Vec<(Uuid, i64)> = on!(reader, conn => sqlx::query_as(
        "SELECT agent_id, asked_us FROM queue_turns WHERE tenant = $1 AND queue_id = $2")
        .bind(tenant.as_str())
        .bind(queue)
        .fetch_all(conn)
        .await)?;
    Ok(rows.into_iter().map(|(agent, asked_us)| (agent.to_string(), asked_us)).collect())
}

/// Deletes calls that were over before this moment. Returns how many.
pub(crate) async fn prune(tx: &mut Tx, over_before_us: i64, limit: i64) -> Result<u64, StoreError> {
    tx.statement(
        "DELETE FROM served WHERE (tenant, interaction_id, agent_id, since_us) IN
             (SELECT tenant, interaction_id, agent_id, since_us FROM served WHERE ended_us < $1 ORDER BY ended_us LIMIT $2)",
    )
    .bind(over_before_us)
    .bind(limit)
    .affected()
    .await
}
