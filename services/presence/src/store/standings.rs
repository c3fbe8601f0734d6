//! How agents stand, as far as it must outlive the process.

use baton_runtime::auth::TenantId;
use baton_store::{StoreError, Tx, on};

use crate::ids::AgentId;
use crate::state::{Standing, Wish};

/// Writes a standing, new or not. Whether the agent is claimed is not part of it: that is in the claims.
pub(crate) async fn save(
    tx: &mut Tx,
    tenant: &TenantId,
    agent: AgentId,
    standing: &Standing,
) -> Result<(), StoreError> {
    let (wish_away, away_reason) = match &standing.wish {
        Wish::Available => (false, ""),
        Wish::Away(reason) => (true, reason.as_str()),
    };
    on!(tx, conn => sqlx::query(
        "INSERT INTO standings (tenant, agent_id, online, wish_away, away_reason, wrap_up_until_us,
             not_responding, state_since_us, idle_since_us)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (tenant, agent_id) DO UPDATE SET online = $3, wish_away = $4, away_reason = $5,
             wrap_up_until_us = $6, not_responding = $7, state_since_us = $8, idle_since_us = $9")
        .bind(tenant.as_str())
        .bind(agent)
        .bind(standing.online)
        .bind(wish_away)
        .bind(away_reason)
        .bind(standing.wrap_up_until_us)
        .bind(standing.not_responding)
        .bind(standing.state_since_us)
        .bind(standing.idle_since_us)
        .execute(conn)
        .await)?;
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
