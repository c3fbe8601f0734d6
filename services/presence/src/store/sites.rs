//! Sites: places where agents work.

use baton_api::name;
use baton_runtime::auth::TenantId;
use baton_store::{Etag, Reader, StoreError, Tx, on};

use crate::ids::SiteId;
use crate::page::DirectoryCursor;
use crate::record::SiteRecord;

#[derive(sqlx::FromRow)]
struct Row {
    tenant: String,
    site_id: SiteId,
    name: String,
    etag: Etag,
    version: i64,
}

impl TryFrom<Row> for SiteRecord {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let tenant = super::tenant(row.tenant, "sites", &row.site_id.to_string())?;
        Ok(Self { tenant, id: row.site_id, name: row.name, etag: row.etag, version: row.version })
    }
}

/// Which rows, in which order: the columns of [`Row`] are named here alone.
macro_rules! select_sites {
    ($rest:literal) => {
        concat!("SELECT tenant, site_id, name, etag, version FROM sites ", $rest)
    };
}

/// Adds a site, whose id is fresh.
pub(crate) async fn insert(
    tx: &mut Tx,
    tenant: &TenantId,
    id: SiteId,
    name: &str,
    etag: &Etag,
) -> Result<(), StoreError> {
    tx.statement(
        "INSERT INTO sites (tenant, site_id, name, name_key, look, shape, etag, version) VALUES ($1, $2, $3, $4, $5, $6, $7, 1)",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(name)
    .bind(name::key(name))
    .bind(name::look(name))
    .bind(name::shape(name))
    .bind(etag)
    .run()
    .await?;
    Ok(())
}

/// Gives a site, which must exist, another name.
pub(crate) async fn rename(
    tx: &mut Tx,
    tenant: &TenantId,
    id: SiteId,
    name: &str,
    etag: &Etag,
) -> Result<(), StoreError> {
    tx.statement(
        "UPDATE sites SET name = $3, name_key = $4, look = $5, shape = $6, etag = $7, version = version + 1
         WHERE tenant = $1 AND site_id = $2",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(name)
    .bind(name::key(name))
    .bind(name::look(name))
    .bind(name::shape(name))
    .bind(etag)
    .run()
    .await?;
    Ok(())
}

/// Removes a site; `false` when there is none.
pub(crate) async fn delete(tx: &mut Tx, tenant: &TenantId, id: SiteId) -> Result<bool, StoreError> {
    let rows = tx
        .statement("DELETE FROM sites WHERE tenant = $1 AND site_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .affected()
        .await?;
    Ok(rows == 1)
}

/// How many agents work at a site.
pub(crate) async fn agents_at(tx: &mut Tx, tenant: &TenantId, id: SiteId) -> Result<i64, StoreError> {
    Ok(on!(tx, conn => sqlx::query_scalar("SELECT COUNT(*) FROM agents WHERE tenant = $1 AND site_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .fetch_one(conn)
        .await)?)
}

pub(crate) async fn get(tx: &mut Tx, tenant: &TenantId, id: SiteId) -> Result<Option<SiteRecord>, StoreError> {
    let row: Option<Row> = on!(tx, conn => sqlx::query_as(select_sites!("WHERE tenant = $1 AND site_id = $2"))
        .bind(tenant.as_str())
        .bind(id)
        .fetch_optional(conn)
        .await)?;
    row.map(SiteRecord::try_from).transpose()
}

/// Every site of every tenant, to fill the memory at the start.
pub(crate) async fn all(tx: &mut Tx) -> Result<Vec<SiteRecord>, StoreError> {
    let rows: Vec<Row> = on!(tx, conn => sqlx::query_as(select_sites!("")).fetch_all(conn).await)?;
    rows.into_iter().map(SiteRecord::try_from).collect()
}

/// A page by name.
pub(crate) async fn list(
    reader: &mut Reader,
    tenant: &TenantId,
    after: &DirectoryCursor,
    limit: usize,
) -> Result<Vec<SiteRecord>, StoreError> {
    let rows: Vec<Row> = on!(reader, conn => sqlx::query_as(
        select_sites!("WHERE tenant = $1 AND (name_key, site_id) > ($2, $3) ORDER BY name_key, site_id LIMIT $4"))
        .bind(tenant.as_str())
        .bind(&after.key)
        .bind(after.id)
        .bind(limit as i64)
        .fetch_all(conn)
        .await)?;
    rows.into_iter().map(SiteRecord::try_from).collect()
}
