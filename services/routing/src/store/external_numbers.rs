//! The external numbers. A tenant has a thousand at most, so each statement reads few rows.

use baton_api::name;
use baton_runtime::auth::TenantId;
use baton_store::{Etag, Reader, StoreError, Tx, on};
use uuid::Uuid;

use crate::page::ConfigurationCursor;

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct ExternalNumberRow {
    pub(crate) external_number_id: Uuid,
    pub(crate) name: String,
    /// E.164.
    pub(crate) number: String,
    pub(crate) forwarding: bool,
    pub(crate) etag: Etag,
}

macro_rules! select_one {
    ($handle:ident, $tenant:ident, $id:ident) => {
        Ok(on!($handle, conn => sqlx::query_as(
            "SELECT external_number_id, name, number, forwarding, etag FROM external_numbers
             WHERE tenant = $1 AND external_number_id = $2")
            .bind($tenant.as_str())
            .bind($id)
            .fetch_optional(conn)
            .await)?)
    };
}

/// Writes one in the place of the one with its id, if there is one.
pub(crate) async fn put(tx: &mut Tx, tenant: &TenantId, row: &ExternalNumberRow) -> Result<(), StoreError> {
    tx.statement(
        "INSERT INTO external_numbers (tenant, external_number_id, name, name_key, look, shape, number, forwarding, etag)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (tenant, external_number_id) DO UPDATE
             SET name = $3, name_key = $4, look = $5, shape = $6, number = $7, forwarding = $8, etag = $9",
    )
    .bind(tenant.as_str())
    .bind(row.external_number_id)
    .bind(&row.name)
    .bind(name::key(&row.name))
    .bind(name::look(&row.name))
    .bind(name::shape(&row.name))
    .bind(&row.number)
    .bind(row.forwarding)
    .bind(&row.etag)
    .run()
    .await?;
    Ok(())
}

/// One, within a change; `None` when the tenant does not have it.
pub(crate) async fn get(tx: &mut Tx, tenant: &TenantId, id: Uuid) -> Result<Option<ExternalNumberRow>, StoreError> {
    select_one!(tx, tenant, id)
}

/// The same for a reader.
pub(crate) async fn look_up(
    reader: &mut Reader,
    tenant: &TenantId,
    id: Uuid,
) -> Result<Option<ExternalNumberRow>, StoreError> {
    select_one!(reader, tenant, id)
}

/// How many the tenant has.
pub(crate) async fn count(tx: &mut Tx, tenant: &TenantId) -> Result<i64, StoreError> {
    Ok(on!(tx, conn => sqlx::query_scalar("SELECT COUNT(*) FROM external_numbers WHERE tenant = $1")
        .bind(tenant.as_str())
        .fetch_one(conn)
        .await)?)
}

/// The names of a tenant's others that look like this one.
pub(crate) async fn alike(tx: &mut Tx, tenant: &TenantId, id: Uuid, name: &str) -> Result<Vec<String>, StoreError> {
    Ok(on!(tx, conn => sqlx::query_scalar(
        "SELECT name FROM external_numbers WHERE tenant = $1 AND (look = $2 OR shape = $3) AND external_number_id <> $4")
        .bind(tenant.as_str())
        .bind(name::look(name))
        .bind(name::shape(name))
        .bind(id)
        .fetch_all(conn)
        .await)?)
}

/// A page by name.
pub(crate) async fn list(
    reader: &mut Reader,
    tenant: &TenantId,
    after: &ConfigurationCursor,
    limit: usize,
) -> Result<Vec<ExternalNumberRow>, StoreError> {
    Ok(on!(reader, conn => sqlx::query_as(
        "SELECT external_number_id, name, number, forwarding, etag FROM external_numbers
         WHERE tenant = $1 AND (name_key, external_number_id) > ($2, $3)
         ORDER BY name_key, external_number_id LIMIT $4")
        .bind(tenant.as_str())
        .bind(&after.key)
        .bind(after.id)
        .bind(limit as i64)
        .fetch_all(conn)
        .await)?)
}

/// Removes one.
pub(crate) async fn delete(tx: &mut Tx, tenant: &TenantId, id: Uuid) -> Result<(), StoreError> {
    tx.statement("DELETE FROM external_numbers WHERE tenant = $1 AND external_number_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .run()
        .await?;
    Ok(())
}
