//! IVR flows, each stored as an encoded message without its etag, which is a column.

use baton_api::name;
use baton_api::routing::v1::IvrFlow;
use baton_runtime::auth::TenantId;
use baton_store::{Db, Etag, Reader, StoreError, Tx, change, on};
use prost::Message as _;
use uuid::Uuid;

use crate::page::ConfigurationCursor;

#[derive(sqlx::FromRow)]
struct Row {
    ivr_flow_id: Uuid,
    flow: Vec<u8>,
    etag: Etag,
}

impl Row {
    fn into_flow(self) -> Result<StoredIvrFlow, StoreError> {
        let flow = IvrFlow::decode(self.flow.as_slice()).map_err(|error| StoreError::Corrupt {
            table: "ivr_flows",
            column: "flow",
            row: self.ivr_flow_id.to_string(),
            source: Some(Box::new(error)),
        })?;
        Ok(StoredIvrFlow { id: self.ivr_flow_id, flow, etag: self.etag })
    }
}

/// A flow and which version of it that is.
#[derive(Debug)]
pub(crate) struct StoredIvrFlow {
    pub(crate) id: Uuid,
    /// Without its etag.
    pub(crate) flow: IvrFlow,
    pub(crate) etag: Etag,
}

impl StoredIvrFlow {
    /// As clients see it.
    pub(crate) fn shown(self) -> IvrFlow {
        IvrFlow { etag: self.etag.as_str().to_owned(), ..self.flow }
    }
}

macro_rules! select_flow {
    ($handle:ident, $tenant:ident, $id:ident) => {{
        let row: Option<Row> = on!($handle, conn => sqlx::query_as(
            "SELECT ivr_flow_id, flow, etag FROM ivr_flows WHERE tenant = $1 AND ivr_flow_id = $2")
            .bind($tenant.as_str())
            .bind($id)
            .fetch_optional(conn)
            .await)?;
        row.map(Row::into_flow).transpose()
    }};
}

/// Writes a flow in the place of the one with its id, if there is one.
pub(crate) async fn put(tx: &mut Tx, tenant: &TenantId, flow: &StoredIvrFlow) -> Result<(), StoreError> {
    tx.statement("INSERT INTO ivr_flows (tenant, ivr_flow_id, name_key, flow, etag, look, shape) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (tenant, ivr_flow_id) DO UPDATE SET name_key = $3, flow = $4, etag = $5, look = $6, shape = $7")
        .bind(tenant.as_str())
        .bind(flow.id)
        .bind(name::key(&flow.flow.name))
        .bind(flow.flow.encode_to_vec())
        .bind(&flow.etag)
        .bind(name::look(&flow.flow.name))
        .bind(name::shape(&flow.flow.name)).later().await?;
    Ok(())
}

/// The names of a tenant's other flows that look like this one.
pub(crate) async fn alike(tx: &mut Tx, tenant: &TenantId, id: Uuid, name: &str) -> Result<Vec<String>, StoreError> {
    let rows: Vec<Row> = on!(tx, conn => sqlx::query_as(
        "SELECT ivr_flow_id, flow, etag FROM ivr_flows
         WHERE tenant = $1 AND (look = $2 OR shape = $3) AND ivr_flow_id <> $4")
        .bind(tenant.as_str())
        .bind(name::look(name))
        .bind(name::shape(name))
        .bind(id)
        .fetch_all(conn)
        .await)?;
    rows.into_iter().map(|row| Ok(row.into_flow()?.flow.name)).collect()
}

/// One flow, within a change; `None` when there is none.
pub(crate) async fn get(tx: &mut Tx, tenant: &TenantId, id: Uuid) -> Result<Option<StoredIvrFlow>, StoreError> {
    select_flow!(tx, tenant, id)
}

/// The same for a reader.
pub(crate) async fn look_up(
    reader: &mut Reader,
    tenant: &TenantId,
    id: Uuid,
) -> Result<Option<StoredIvrFlow>, StoreError> {
    select_flow!(reader, tenant, id)
}

/// A page by name.
pub(crate) async fn list(
    reader: &mut Reader,
    tenant: &TenantId,
    after: &ConfigurationCursor,
    limit: usize,
) -> Result<Vec<StoredIvrFlow>, StoreError> {
    let rows: Vec<Row> = on!(reader, conn => sqlx::query_as(
        "SELECT ivr_flow_id, flow, etag FROM ivr_flows
         WHERE tenant = $1 AND (name_key, ivr_flow_id) > ($2, $3)
         ORDER BY name_key, ivr_flow_id LIMIT $4")
        .bind(tenant.as_str())
        .bind(&after.key)
        .bind(after.id)
        .bind(limit as i64)
        .fetch_all(conn)
        .await)?;
    rows.into_iter().map(Row::into_flow).collect()
}

/// Removes a flow.
pub(crate) async fn delete(tx: &mut Tx, tenant: &TenantId, id: Uuid) -> Result<(), StoreError> {
    tx.statement("DELETE FROM ivr_flows WHERE tenant = $1 AND ivr_flow_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .later()
        .await?;
    Ok(())
}

/// A flow's key: tenant, id, the name's key, look and shape as they were written, and the flow.
type KeyedFlow = (String, Uuid, String, String, String, Vec<u8>);

/// Writes the keys, looks and shapes of names anew that a version before made in another way.
pub(crate) async fn renew_keys(db: &Db) -> Result<(), StoreError> {
    db.change(change!(|tx| {
        let flows: Vec<KeyedFlow> = on!(tx, conn => sqlx::query_as(
            "SELECT tenant, ivr_flow_id, name_key, look, shape, flow FROM ivr_flows").fetch_all(conn).await)?;
        for (tenant, id, key, look, shape, flow) in flows {
            // One that can't be read is reported when it is asked for.
            let Ok(flow) = IvrFlow::decode(flow.as_slice()) else { continue };
            let fresh = (name::key(&flow.name), name::look(&flow.name), name::shape(&flow.name));
            if fresh != (key, look, shape) {
                tx.statement(
                    "UPDATE ivr_flows SET name_key = $3, look = $4, shape = $5 WHERE tenant = $1 AND ivr_flow_id = $2",
                )
                .bind(tenant)
                .bind(id)
                .bind(&fresh.0)
                .bind(&fresh.1)
                .bind(&fresh.2)
                .later()
                .await?;
            }
        }
        Ok(())
    }))
    .await
}
