//! Call flows, each stored as an encoded message without its etag, which is a column.

use baton_api::name;
use baton_api::routing::v1::CallFlow;
use baton_runtime::auth::TenantId;
use baton_store::{Db, Etag, Reader, StoreError, Tx, change, on};
use prost::Message as _;
use uuid::Uuid;

use crate::flow;
use crate::page::ConfigurationCursor;

#[derive(sqlx::FromRow)]
struct Row {
    call_flow_id: Uuid,
    flow: Vec<u8>,
    etag: Etag,
}

impl Row {
    fn into_flow(self) -> Result<StoredFlow, StoreError> {
        let flow = CallFlow::decode(self.flow.as_slice()).map_err(|error| StoreError::Corrupt {
            table: "call_flows",
            column: "flow",
            row: self.call_flow_id.to_string(),
            source: Some(Box::new(error)),
        })?;
        Ok(StoredFlow { id: self.call_flow_id, flow, etag: self.etag })
    }
}

/// A flow and which version of it that is.
#[derive(Debug)]
pub(crate) struct StoredFlow {
    pub(crate) id: Uuid,
    /// Without its etag.
    pub(crate) flow: CallFlow,
    pub(crate) etag: Etag,
}

impl StoredFlow {
    /// As clients see it.
    pub(crate) fn shown(self) -> CallFlow {
        CallFlow { etag: self.etag.as_str().to_owned(), ..self.flow }
    }
}

macro_rules! select_flow {
    ($handle:ident, $tenant:ident, $id:ident) => {{
        let row: Option<Row> = on!($handle, conn => sqlx::query_as(
            "SELECT call_flow_id, flow, etag FROM call_flows WHERE tenant = $1 AND call_flow_id = $2")
            .bind($tenant.as_str())
            .bind($id)
            .fetch_optional(conn)
            .await)?;
        row.map(Row::into_flow).transpose()
    }};
}

/// Writes a flow in the place of the one with its id, if there is one.
pub(crate) async fn put(tx: &mut Tx, tenant: &TenantId, flow: &StoredFlow) -> Result<(), StoreError> {
    tx.statement("INSERT INTO call_flows (tenant, call_flow_id, name_key, flow, etag, look, shape) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (tenant, call_flow_id) DO UPDATE SET name_key = $3, flow = $4, etag = $5, look = $6, shape = $7")
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
        "SELECT call_flow_id, flow, etag FROM call_flows
         WHERE tenant = $1 AND (look = $2 OR shape = $3) AND call_flow_id <> $4")
        .bind(tenant.as_str())
        .bind(name::look(name))
        .bind(name::shape(name))
        .bind(id)
        .fetch_all(conn)
        .await)?;
    rows.into_iter().map(|row| Ok(row.into_flow()?.flow.name)).collect()
}

/// One flow, within a change; `None` when there is none.
pub(crate) async fn get(tx: &mut Tx, tenant: &TenantId, id: Uuid) -> Result<Option<StoredFlow>, StoreError> {
    select_flow!(tx, tenant, id)
}

/// The same for a reader.
pub(crate) async fn look_up(
    reader: &mut Reader,
    tenant: &TenantId,
    id: Uuid,
) -> Result<Option<StoredFlow>, StoreError> {
    select_flow!(reader, tenant, id)
}

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

/// A page by name.
pub(crate) async fn list(
    reader: &mut Reader,
    tenant: &TenantId,
    after: &ConfigurationCursor,
    limit: usize,
) -> Result<Vec<StoredFlow>, StoreError> {
    let rows: Vec<Row> = on!(reader, conn => sqlx::query_as(
        "SELECT call_flow_id, flow, etag FROM call_flows
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
    tx.statement("DELETE FROM call_flows WHERE tenant = $1 AND call_flow_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .later()
        .await?;
    Ok(())
}

/// A flow that has a step to this queue.
pub(crate) async fn leading_to(tx: &mut Tx, tenant: &TenantId, queue_id: &str) -> Result<Option<Uuid>, StoreError> {
    let rows: Vec<Row> = on!(tx, conn => sqlx::query_as(
        "SELECT call_flow_id, flow, etag FROM call_flows WHERE tenant = $1 ORDER BY name_key, call_flow_id")
        .bind(tenant.as_str())
        .fetch_all(conn)
        .await)?;
    for row in rows {
        let stored = row.into_flow()?;
        if flow::named(&stored.flow).queues.contains(queue_id) {
            return Ok(Some(stored.id));
        }
    }
    Ok(None)
}

/// A flow's key: tenant, id, the name's key, look and shape as they were written, and the flow.
type KeyedFlow = (String, Uuid, String, String, String, Vec<u8>);

/// Writes the keys, looks and shapes of names anew that a version before made in another way.
pub(crate) async fn renew_keys(db: &Db) -> Result<(), StoreError> {
    db.change(change!(|tx| {
        let flows: Vec<KeyedFlow> = on!(tx, conn => sqlx::query_as(
            "SELECT tenant, call_flow_id, name_key, look, shape, flow FROM call_flows").fetch_all(conn).await)?;
        for (tenant, id, key, look, shape, flow) in flows {
            // One that can't be read is reported when it is asked for.
            let Ok(flow) = CallFlow::decode(flow.as_slice()) else { continue };
            let fresh = (name::key(&flow.name), name::look(&flow.name), name::shape(&flow.name));
            if fresh != (key, look, shape) {
                tx.statement("UPDATE call_flows SET name_key = $3, look = $4, shape = $5 WHERE tenant = $1 AND call_flow_id = $2")
                    .bind(tenant).bind(id).bind(&fresh.0).bind(&fresh.1).bind(&fresh.2).later().await?;
            }
        }
        Ok(())
    }))
    .await
}
