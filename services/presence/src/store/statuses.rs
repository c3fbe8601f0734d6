//! The agents' status, as far as it must outlive the process (the table `standings`).

use baton_runtime::auth::TenantId;
use baton_store::{StoreError, Tx, on};

use crate::ids::AgentId;
use crate::status::{AgentStatus, RequestedState};

/// Writes a status, new or not, with the agent's next version. Whether the agent is occupied is not part of the row: the claims say it.
pub(crate) async fn save(
    tx: &mut Tx,
    tenant: &TenantId,
    agent: AgentId,
    status: &AgentStatus,
) -> Result<(), StoreError> {
    let (requested_away, away_reason) = match &status.requested {
        RequestedState::Available => (false, ""),
        RequestedState::Away(reason) => (true, reason.as_str()),
    };
    let wrap_up = status.wrap_up.as_ref();
    tx.statement(
        "INSERT INTO standings (tenant, agent_id, online, wish_away, away_reason, wrap_up_until_us,
             not_responding, state_since_us, idle_since_us, wrap_up_interaction_id, wrap_up_due_ids)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         ON CONFLICT (tenant, agent_id) DO UPDATE SET online = $3, wish_away = $4, away_reason = $5,
             wrap_up_until_us = $6, not_responding = $7, state_since_us = $8, idle_since_us = $9,
             wrap_up_interaction_id = $10, wrap_up_due_ids = $11, version = standings.version + 1",
    )
    .bind(tenant.as_str())
    .bind(agent)
    .bind(status.online)
    .bind(requested_away)
    .bind(away_reason)
    .bind(wrap_up.map(|it| it.until_us))
    .bind(status.not_responding)
    .bind(status.state_since_us)
    .bind(status.idle_since_us)
    .bind(wrap_up.map_or("", |it| it.interaction_id.as_str()))
    .bind(wrap_up.map(|it| it.due.join(" ")).unwrap_or_default())
    .run()
    .await?;
    Ok(())
}

/// Gives an agent, if there is one, their next version: something of them has changed that is not in their row.
pub(crate) async fn advance(tx: &mut Tx, tenant: &TenantId, agent: AgentId) -> Result<(), StoreError> {
    tx.statement("UPDATE standings SET version = version + 1 WHERE tenant = $1 AND agent_id = $2")
        .bind(tenant.as_str())
        .bind(agent)
        .run()
        .await?;
    Ok(())
}

/// A tenant's agents whose wrap-up is over, at most `limit`.
pub(crate) async fn wrapped_up(
    tx: &mut Tx,
    tenant: &TenantId,
    now_us: i64,
    limit: i64,
) -> Result<Vec<AgentId>, StoreError> {
    Ok(on!(tx, conn => sqlx::query_scalar(
        "SELECT agent_id FROM standings WHERE wrap_up_until_us <= $2 AND tenant = $1
         ORDER BY wrap_up_until_us LIMIT $3")
        .bind(tenant.as_str())
        .bind(now_us)
        .bind(limit)
        .fetch_all(conn)
        .await)?)
}
