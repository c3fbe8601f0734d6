//! Tenants: one row each.

use crate::pseudonym::PseudonymKey;
use baton_runtime::auth::{Grants, TenantId, TenantLimits};
use baton_store::{Db, Etag, StoreError, Tx, on};
use sqlx::types::Json;

/// A tenant as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TenantRecord {
    pub(crate) id: TenantId,
    pub(crate) display_name: String,
    pub(crate) entitlements: Vec<String>,
    /// Calls at the same time; 0 for no limit.
    pub(crate) live_interactions: u32,
    pub(crate) limits: TenantLimits,
    pub(crate) grants: Grants,
    pub(crate) is_suspended: bool,
    pub(crate) suspend_reason: String,
    pub(crate) etag: Etag,
    pub(crate) pseudonym_key: PseudonymKey,
    pub(crate) created_us: i64,
    pub(crate) updated_us: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    tenant: String,
    display_name: String,
    entitlements: Json<Vec<String>>,
    live_interactions: i64,
    calls_per_second: i64,
    changes_per_second: i64,
    stored_mib: i64,
    granted_numbers: Json<Vec<String>>,
    granted_destinations: Json<Vec<String>>,
    suspended: i64,
    suspend_reason: String,
    etag: Etag,
    pseudonym_key: PseudonymKey,
    created_us: i64,
    updated_us: i64,
}

impl TryFrom<Row> for TenantRecord {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let corrupt = |column| StoreError::Corrupt { table: "tenants", column, row: row.tenant.clone(), source: None };
        let limit = |limit: i64, column| u32::try_from(limit).map_err(|_| corrupt(column));
        Ok(Self {
            id: row.tenant.parse().map_err(|_| corrupt("tenant"))?,
            display_name: row.display_name,
            entitlements: row.entitlements.0,
            live_interactions: limit(row.live_interactions, "live_interactions")?,
            limits: TenantLimits {
                calls_per_second: limit(row.calls_per_second, "calls_per_second")?,
                changes_per_second: limit(row.changes_per_second, "changes_per_second")?,
                stored_mib: limit(row.stored_mib, "stored_mib")?,
            },
            grants: Grants { numbers: row.granted_numbers.0, destinations: row.granted_destinations.0 },
            is_suspended: row.suspended != 0,
            suspend_reason: row.suspend_reason,
            etag: row.etag,
            pseudonym_key: row.pseudonym_key,
            created_us: row.created_us,
            updated_us: row.updated_us,
        })
    }
}

/// So many that follow this id, ordered by their ids.
pub(crate) async fn list(db: &Db, after: &str, limit: usize) -> Result<Vec<TenantRecord>, StoreError> {
    let mut reader = db.read().await?;
    let rows: Vec<Row> = on!(reader, conn => sqlx::query_as(
        "SELECT * FROM tenants WHERE tenant > $1 ORDER BY tenant LIMIT $2")
        .bind(after).bind(limit as i64).fetch_all(conn).await)?;
    rows.into_iter().map(TryInto::try_into).collect()
}

pub(crate) async fn read(db: &Db, tenant: &str) -> Result<Option<TenantRecord>, StoreError> {
    let mut reader = db.read().await?;
    let row: Option<Row> = on!(reader, conn => sqlx::query_as("SELECT * FROM tenants WHERE tenant = $1")
        .bind(tenant).fetch_optional(conn).await)?;
    row.map(TryInto::try_into).transpose()
}

/// The tenant as the change sees it.
pub(crate) async fn read_in(tx: &mut Tx, tenant: &str) -> Result<Option<TenantRecord>, StoreError> {
    let row: Option<Row> = on!(tx, conn => sqlx::query_as("SELECT * FROM tenants WHERE tenant = $1")
        .bind(tenant).fetch_optional(conn).await)?;
    row.map(TryInto::try_into).transpose()
}

/// Writes a tenant, new or changed.
pub(crate) async fn put(tx: &mut Tx, record: &TenantRecord) -> Result<(), StoreError> {
    tx.statement("INSERT INTO tenants (tenant, display_name, entitlements, live_interactions, suspended, suspend_reason, etag, pseudonym_key, created_us, updated_us,
                              granted_numbers, granted_destinations, calls_per_second, changes_per_second, stored_mib)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         ON CONFLICT (tenant) DO UPDATE SET display_name = excluded.display_name, entitlements = excluded.entitlements,
             live_interactions = excluded.live_interactions, suspended = excluded.suspended,
             suspend_reason = excluded.suspend_reason, etag = excluded.etag, pseudonym_key = excluded.pseudonym_key, updated_us = excluded.updated_us,
             granted_numbers = excluded.granted_numbers, granted_destinations = excluded.granted_destinations,
             calls_per_second = excluded.calls_per_second, changes_per_second = excluded.changes_per_second, stored_mib = excluded.stored_mib")
        .bind(record.id.as_str())
        .bind(&record.display_name)
        .bind(Json(&record.entitlements))
        .bind(i64::from(record.live_interactions))
        .bind(i64::from(record.is_suspended))
        .bind(&record.suspend_reason)
        .bind(&record.etag)
        .bind(&record.pseudonym_key)
        .bind(record.created_us)
        .bind(record.updated_us)
        .bind(Json(&record.grants.numbers))
        .bind(Json(&record.grants.destinations))
        .bind(i64::from(record.limits.calls_per_second))
        .bind(i64::from(record.limits.changes_per_second))
        .bind(i64::from(record.limits.stored_mib)).run().await?;
    Ok(())
}
