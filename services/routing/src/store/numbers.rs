//! Numbers and the flows that calls to them take.

use baton_runtime::auth::TenantId;
use baton_store::{Etag, Reader, StoreError, Tx, on};
use uuid::Uuid;

#[derive(Debug, sqlx::FromRow)]
pub(crate) struct NumberRow {
    pub(crate) number: String,
    pub(crate) call_flow_id: Option<Uuid>,
    pub(crate) etag: Etag,
}

macro_rules! select_number {
    ($handle:ident, $tenant:ident, $number:ident) => {
        Ok(on!($handle, conn => sqlx::query_as(
            "SELECT number, call_flow_id, etag FROM numbers WHERE tenant = $1 AND number = $2")
            .bind($tenant.as_str())
            .bind($number)
            .fetch_optional(conn)
            .await)?)
    };
}

/// Writes a number in the place of what it was, if it is there.
pub(crate) async fn put(tx: &mut Tx, tenant: &TenantId, number: &NumberRow) -> Result<(), StoreError> {
    tx.statement(
        "INSERT INTO numbers (tenant, number, call_flow_id, etag) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant, number) DO UPDATE SET call_flow_id = $3, etag = $4",
    )
    .bind(tenant.as_str())
    .bind(&number.number)
    .bind(number.call_flow_id)
    .bind(&number.etag)
    .run()
    .await?;
    Ok(())
}

/// One number, within a change; `None` when it is not the tenant's.
pub(crate) async fn get(tx: &mut Tx, tenant: &TenantId, number: &str) -> Result<Option<NumberRow>, StoreError> {
    select_number!(tx, tenant, number)
}

/// The same for a reader.
pub(crate) async fn look_up(
    reader: &mut Reader,
    tenant: &TenantId,
    number: &str,
) -> Result<Option<NumberRow>, StoreError> {
    select_number!(reader, tenant, number)
}

/// The tenant's only number that ends in these digits; `None` if it has none or several.
pub(crate) async fn only_one_ending(
    reader: &mut Reader,
    tenant: &TenantId,
    digits: &str,
) -> Result<Option<NumberRow>, StoreError> {
    let mut rows: Vec<NumberRow> = on!(reader, conn => sqlx::query_as(
        "SELECT number, call_flow_id, etag FROM numbers WHERE tenant = $1 AND number LIKE '%' || $2 LIMIT 2")
        .bind(tenant.as_str())
        .bind(digits)
        .fetch_all(conn)
        .await)?;
    Ok(rows.pop().filter(|_| rows.is_empty()))
}

/// Whether a tenant other than this one has the number.
pub(crate) async fn is_anothers(tx: &mut Tx, tenant: &TenantId, number: &str) -> Result<bool, StoreError> {
    let other: Option<String> = on!(tx, conn => sqlx::query_scalar(
        "SELECT tenant FROM numbers WHERE number = $1 AND tenant <> $2 LIMIT 1")
        .bind(number)
        .bind(tenant.as_str())
        .fetch_optional(conn)
        .await)?;
    Ok(other.is_some())
}

/// A page by number.
pub(crate) async fn list(
    reader: &mut Reader,
    tenant: &TenantId,
    after: &str,
    limit: usize,
) -> Result<Vec<NumberRow>, StoreError> {
    Ok(on!(reader, conn => sqlx::query_as(
        "SELECT number, call_flow_id, etag FROM numbers WHERE tenant = $1 AND number > $2 ORDER BY number LIMIT $3")
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

/// Removes a number.
pub(crate) async fn delete(tx: &mut Tx, tenant: &TenantId, number: &str) -> Result<(), StoreError> {
    tx.statement("DELETE FROM numbers WHERE tenant = $1 AND number = $2")
        .bind(tenant.as_str())
        .bind(number)
        .run()
        .await?;
    Ok(())
}
