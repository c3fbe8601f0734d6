//! The dial rules. A tenant has a thousand at most, so each statement reads few rows.

use baton_runtime::auth::TenantId;
use baton_store::{Etag, Reader, StoreError, Tx, on};

#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct DialRuleRow {
    pub(crate) prefix: String,
    pub(crate) etag: Etag,
}

macro_rules! select_rule {
    ($handle:ident, $tenant:ident, $prefix:ident) => {
        Ok(on!($handle, conn => sqlx::query_as(
            "SELECT prefix, etag FROM dial_rules WHERE tenant = $1 AND prefix = $2")
            .bind($tenant.as_str())
            .bind($prefix)
            .fetch_optional(conn)
            .await)?)
    };
}

/// Adds a rule that is not there.
pub(crate) async fn insert(tx: &mut Tx, tenant: &TenantId, rule: &DialRuleRow) -> Result<(), StoreError> {
    tx.statement("INSERT INTO dial_rules (tenant, prefix, etag) VALUES ($1, $2, $3)")
        .bind(tenant.as_str())
        .bind(&rule.prefix)
        .bind(&rule.etag)
        .run()
        .await?;
    Ok(())
}

/// One rule, within a change; `None` when the tenant does not have it.
pub(crate) async fn get(tx: &mut Tx, tenant: &TenantId, prefix: &str) -> Result<Option<DialRuleRow>, StoreError> {
    select_rule!(tx, tenant, prefix)
}

/// The same for a reader.
pub(crate) async fn look_up(
    reader: &mut Reader,
    tenant: &TenantId,
    prefix: &str,
) -> Result<Option<DialRuleRow>, StoreError> {
    select_rule!(reader, tenant, prefix)
}

/// How many rules the tenant has.
pub(crate) async fn count(tx: &mut Tx, tenant: &TenantId) -> Result<i64, StoreError> {
    Ok(on!(tx, conn => sqlx::query_scalar("SELECT COUNT(*) FROM dial_rules WHERE tenant = $1")
        .bind(tenant.as_str())
        .fetch_one(conn)
        .await)?)
}

/// A page by prefix.
pub(crate) async fn list(
    reader: &mut Reader,
    tenant: &TenantId,
    after: &str,
    limit: usize,
) -> Result<Vec<DialRuleRow>, StoreError> {
    Ok(on!(reader, conn => sqlx::query_as(
        "SELECT prefix, etag FROM dial_rules WHERE tenant = $1 AND prefix > $2 ORDER BY prefix LIMIT $3")
        .bind(tenant.as_str())
        .bind(after)
        .bind(limit as i64)
        .fetch_all(conn)
        .await)?)
}

/// Removes a rule.
pub(crate) async fn delete(tx: &mut Tx, tenant: &TenantId, prefix: &str) -> Result<(), StoreError> {
    tx.statement("DELETE FROM dial_rules WHERE tenant = $1 AND prefix = $2")
        .bind(tenant.as_str())
        .bind(prefix)
        .run()
        .await?;
    Ok(())
}
