//! Call flows, each stored as an encoded message.

use baton_api::routing::v1::CallFlow;
use baton_runtime::auth::TenantId;
use baton_store::{Reader, StoreError, Tx, on};
use prost::Message as _;
use uuid::Uuid;

use crate::page::ConfigurationCursor;

#[derive(sqlx::FromRow)]
struct Row {
    call_flow_id: Uuid,
    flow: Vec<u8>,
}

impl Row {
    fn into_flow(self) -> Result<CallFlow, StoreError> {
        CallFlow::decode(self.flow.as_slice()).map_err(|error| StoreError::Corrupt {
            table: "call_flows",
            column: "flow",
            row: self.call_flow_id.to_string(),
            source: Some(Box::new(error)),
        })
    }
}

/// Creates or replaces a flow.
pub(crate) async fn put(tx: &mut Tx, tenant: &TenantId, id: Uuid, flow: &CallFlow) -> Result<(), StoreError> {
    on!(tx, conn => sqlx::query(
        "INSERT INTO call_flows (tenant, call_flow_id, name_key, flow) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant, call_flow_id) DO UPDATE SET name_key = $3, flow = $4")
        .bind(tenant.as_str())
        .bind(id)
        .bind(flow.name.to_lowercase())
        .bind(flow.encode_to_vec())
        .execute(conn)
        .await)?;
    Ok(())
}

/// One flow; `None` when there is none.
pub(crate) async fn get(reader: &mut Reader, tenant: &TenantId, id: Uuid) -> Result<Option<CallFlow>, StoreError> {
    let row: Option<Row> = on!(reader, conn => sqlx::query_as(
        "SELECT call_flow_id, flow FROM call_flows WHERE tenant = $1 AND call_flow_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .fetch_optional(conn)
        .await)?;
    row.map(Row::into_flow).transpose()
}

/// Whether there is such a flow.
pub(crate) async fn exists(tx: &mut Tx, tenant: &TenantId, id: Uuid) -> Result<bool, StoreError> {
    let found: Option<i64> = on!(tx, conn => sqlx::query_scalar(
        "SELECT 1 FROM call_flows WHERE tenant = $1 AND call_flow_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .fetch_optional(conn)
        .await)?;
    Ok(found.is_some())
}

/// A page by name.
pub(crate) async fn list(
    reader: &mut Reader,
    tenant: &TenantId,
    after: &ConfigurationCursor,
    limit: usize,
) -> Result<Vec<CallFlow>, StoreError> {
    let rows: Vec<Row> = on!(reader, conn => sqlx::query_as(
        "SELECT call_flow_id, flow FROM call_flows
         WHERE tenant = $1 AND (name_key, call_flow_id) > ($2, $3)
         ORDER BY name_key, call_flow_id LIMIT $4")
        .bind(tenant.as_str())
        .bind(&after.key)
        .bind(after.id)
        .bind(limit as i64)
        .fetch_all(conn)
        .await)?;
    rows.into_iter().map(Row::into_flow).collect()
}

/// Removes a flow that no number uses.
pub(crate) async fn delete(tx: &mut Tx, tenant: &TenantId, id: Uuid) -> Result<(), StoreError> {
    on!(tx, conn => sqlx::query("DELETE FROM call_flows WHERE tenant = $1 AND call_flow_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .execute(conn)
        .await)?;
    Ok(())
}
