//! Numbers and the flows that calls to them take.

use baton_runtime::auth::TenantId;
use baton_store::{Reader, StoreError, Tx, on};
use uuid::Uuid;

#[derive(Debug, sqlx::FromRow)]
pub(crate) struct NumberRow {
    pub(crate) number: String,
    pub(crate) call_flow_id: Option<Uuid>,
}

/// Creates or replaces a number.
pub(crate) async fn put(tx: &mut Tx, tenant: &TenantId, number: &NumberRow) -> Result<(), StoreError> {
    on!(tx, conn => sqlx::query(
        "INSERT INTO numbers (tenant, number, call_flow_id) VALUES ($1, $2, $3)
         ON CONFLICT (tenant, number) DO UPDATE SET call_flow_id = $3")
        .bind(tenant.as_str())
        .bind(&number.number)
        .bind(number.call_flow_id)
        .execute(conn)
        .await)?;
    Ok(())
}

/// One number; `None` when it is not the tenant's.
pub(crate) async fn get(reader: &mut Reader, tenant: &TenantId, number: &str) -> Result<Option<NumberRow>, StoreError> {
    Ok(on!(reader, conn => sqlx::query_as(
        "SELECT number, call_flow_id FROM numbers WHERE tenant = $1 AND number = $2")
        .bind(tenant.as_str())
        .bind(number)
        .fetch_optional(conn)
        .await)?)
}

/// A page by number.
pub(crate) async fn list(
    reader: &mut Reader,
    tenant: &TenantId,
    after: &str,
    limit: usize,
) -> Result<Vec<NumberRow>, StoreError> {
    Ok(on!(reader, conn => sqlx::query_as(
        "SELECT number, call_flow_id FROM numbers WHERE tenant = $1 AND number > $2 ORDER BY number LIMIT $3")
        .bind(tenant.as_str())
        .bind(after)
        .bind(limit as i64)
        .fetch_all(conn)
        .await)?)
}

/// A number that uses this flow, if any does.
pub(crate) async fn using(tx: &mut Tx, tenant: &TenantId, flow: Uuid) -> Result<Option<String>, StoreError> {
    Ok(on!(tx, conn => sqlx::query_scalar(
        "SELECT number FROM numbers WHERE tenant = $1 AND call_flow_id = $2 LIMIT 1")
        .bind(tenant.as_str())
        .bind(flow)
        .fetch_optional(conn)
        .await)?)
}

/// Removes a number; `false` when it is not the tenant's.
pub(crate) async fn delete(tx: &mut Tx, tenant: &TenantId, number: &str) -> Result<bool, StoreError> {
    let rows = on!(tx, conn => sqlx::query("DELETE FROM numbers WHERE tenant = $1 AND number = $2")
        .bind(tenant.as_str())
        .bind(number)
        .execute(conn)
        .await)?
    .rows_affected();
    Ok(rows == 1)
}
