//! Call flows.

use crate::flow;

super::named::named_messages!(CallFlow in "call_flows", "call_flow_id", "flow");

/// Whether there is such a flow.
pub(crate) async fn exists(tx: &mut Tx, tenant: &TenantId, id: Uuid) -> Result<bool, StoreError> {
    let found: Option<i64> = on!(tx, conn => sqlx::query_scalar(
        "SELECT CAST(1 AS BIGINT) FROM call_flows WHERE tenant = $1 AND call_flow_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .fetch_optional(conn)
        .await)?;
    Ok(found.is_some())
}

/// A flow that has a step to this queue.
pub(crate) async fn leading_to(tx: &mut Tx, tenant: &TenantId, queue_id: &str) -> Result<Option<Uuid>, StoreError> {
    let rows: Vec<Row> = on!(tx, conn => sqlx::query_as(
        "SELECT call_flow_id, flow, etag FROM call_flows WHERE tenant = $1 ORDER BY name_key, call_flow_id")
        .bind(tenant.as_str())
        .fetch_all(conn)
        .await)?;
    for row in rows {
        let stored = read(row)?;
        if flow::named(&stored.message).queues.contains(queue_id) {
            return Ok(Some(stored.id));
        }
    }
    Ok(None)
}
