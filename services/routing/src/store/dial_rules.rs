//! The dial rules. A tenant has a thousand at most, so each statement reads few rows.

use baton_runtime::auth::TenantId;
use baton_store::{Reader, StoreError, Tx, on};

/// Adds a rule, if it is not there.
pub(crate) async fn put(tx: &mut Tx, tenant: &TenantId, prefix: &str) -> Result<(), StoreError> {
    on!(tx, conn => sqlx::query(
        "INSERT INTO dial_rules (tenant, prefix) VALUES ($1, $2) ON CONFLICT (tenant, prefix) DO NOTHING")
        .bind(tenant.as_str())
        .bind(prefix)
        .execute(conn)
        .await)?;
    Ok(())
}

/// How many rules the tenant has.
pub(crate) async fn count(tx: &mut Tx, tenant: &TenantId) -> Result<i64, StoreError> {
    Ok(on!(tx, conn => sqlx::query_scalar("SELECT COUNT(*) FROM dial_rules WHERE tenant = $1")
        .bind(tenant.as_str())
        .fetch_one(conn)
        .await)?)
}

/// All rules by prefix.
pub(crate) async fn list(reader: &mut Reader, tenant: &TenantId) -> Result<Vec<String>, StoreError> {
    Ok(on!(reader, conn => sqlx::query_scalar(
        "SELECT prefix FROM dial_rules WHERE tenant = $1 ORDER BY prefix")
        .bind(tenant.as_str())
        .fetch_all(conn)
        .await)?)
}

/// The rule that allows a number: the longest that fits.
pub(crate) async fn allowing(
    reader: &mut Reader,
    tenant: &TenantId,
    number: &str,
) -> Result<Option<String>, StoreError> {
    Ok(on!(reader, conn => sqlx::query_scalar(
        "SELECT prefix FROM dial_rules WHERE tenant = $1 AND prefix = SUBSTR($2, 1, LENGTH(prefix))
         ORDER BY LENGTH(prefix) DESC LIMIT 1")
        .bind(tenant.as_str())
        .bind(number)
        .fetch_optional(conn)
        .await)?)
}

/// Removes a rule; `false` when the tenant does not have it.
pub(crate) async fn delete(tx: &mut Tx, tenant: &TenantId, prefix: &str) -> Result<bool, StoreError> {
    let rows = on!(tx, conn => sqlx::query("DELETE FROM dial_rules WHERE tenant = $1 AND prefix = $2")
        .bind(tenant.as_str())
        .bind(prefix)
        .execute(conn)
        .await)?
    .rows_affected();
    Ok(rows == 1)
}
