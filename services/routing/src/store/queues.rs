//! Queues, each stored as an encoded message without its etag, which is a column.

use baton_api::name;
use baton_api::routing::v1::Queue;
use baton_runtime::auth::TenantId;
use baton_store::{Etag, Reader, StoreError, Tx, on};
use prost::Message as _;
use uuid::Uuid;

use crate::page::ConfigurationCursor;

/// Queues of a tenant.
pub(crate) const MAX_QUEUES: usize = 500;

#[derive(sqlx::FromRow)]
struct Row {
    queue_id: Uuid,
    queue: Vec<u8>,
    etag: Etag,
}

impl Row {
    fn into_queue(self) -> Result<StoredQueue, StoreError> {
        let queue = Queue::decode(self.queue.as_slice()).map_err(|error| StoreError::Corrupt {
            table: "queues",
            column: "queue",
            row: self.queue_id.to_string(),
            source: Some(Box::new(error)),
        })?;
        Ok(StoredQueue { id: self.queue_id, queue, etag: self.etag })
    }
}

/// A queue and which version of it that is.
#[derive(Debug)]
pub(crate) struct StoredQueue {
    pub(crate) id: Uuid,
    /// Without its etag.
    pub(crate) queue: Queue,
    pub(crate) etag: Etag,
}

impl StoredQueue {
    /// As clients see it.
    pub(crate) fn shown(self) -> Queue {
        Queue { etag: self.etag.as_str().to_owned(), ..self.queue }
    }
}

macro_rules! select_queue {
    ($handle:ident, $tenant:ident, $id:ident) => {{
        let row: Option<Row> = on!($handle, conn => sqlx::query_as(
            "SELECT queue_id, queue, etag FROM queues WHERE tenant = $1 AND queue_id = $2")
            .bind($tenant.as_str())
            .bind($id)
            .fetch_optional(conn)
            .await)?;
        row.map(Row::into_queue).transpose()
    }};
}

/// Writes a queue in the place of the one with its id, if there is one.
pub(crate) async fn put(tx: &mut Tx, tenant: &TenantId, queue: &StoredQueue) -> Result<(), StoreError> {
    tx.statement(
        "INSERT INTO queues (tenant, queue_id, name_key, queue, etag, look, shape) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (tenant, queue_id) DO UPDATE SET name_key = $3, queue = $4, etag = $5, look = $6, shape = $7",
    )
    .bind(tenant.as_str())
    .bind(queue.id)
    .bind(name::key(&queue.queue.name))
    .bind(queue.queue.encode_to_vec())
    .bind(&queue.etag)
    .bind(name::look(&queue.queue.name))
    .bind(name::shape(&queue.queue.name))
    .later()
    .await?;
    Ok(())
}

/// The names of a tenant's other queues that look like this one.
pub(crate) async fn alike(tx: &mut Tx, tenant: &TenantId, id: Uuid, name: &str) -> Result<Vec<String>, StoreError> {
    let rows: Vec<Row> = on!(tx, conn => sqlx::query_as(
        "SELECT queue_id, queue, etag FROM queues
         WHERE tenant = $1 AND (look = $2 OR shape = $3) AND queue_id <> $4")
        .bind(tenant.as_str())
        .bind(name::look(name))
        .bind(name::shape(name))
        .bind(id)
        .fetch_all(conn)
        .await)?;
    rows.into_iter().map(|row| Ok(row.into_queue()?.queue.name)).collect()
}

/// One queue, within a change; `None` when there is none.
pub(crate) async fn get(tx: &mut Tx, tenant: &TenantId, id: Uuid) -> Result<Option<StoredQueue>, StoreError> {
    select_queue!(tx, tenant, id)
}

/// The same for a reader.
pub(crate) async fn look_up(
    reader: &mut Reader,
    tenant: &TenantId,
    id: Uuid,
) -> Result<Option<StoredQueue>, StoreError> {
    select_queue!(reader, tenant, id)
}

/// A page by name.
pub(crate) async fn list(
    reader: &mut Reader,
    tenant: &TenantId,
    after: &ConfigurationCursor,
    limit: usize,
) -> Result<Vec<StoredQueue>, StoreError> {
    let rows: Vec<Row> = on!(reader, conn => sqlx::query_as(
        "SELECT queue_id, queue, etag FROM queues
         WHERE tenant = $1 AND (name_key, queue_id) > ($2, $3)
         ORDER BY name_key, queue_id LIMIT $4")
        .bind(tenant.as_str())
        .bind(&after.key)
        .bind(after.id)
        .bind(limit as i64)
        .fetch_all(conn)
        .await)?;
    rows.into_iter().map(Row::into_queue).collect()
}

/// Removes a queue.
pub(crate) async fn delete(tx: &mut Tx, tenant: &TenantId, id: Uuid) -> Result<(), StoreError> {
    tx.statement("DELETE FROM queues WHERE tenant = $1 AND queue_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .later()
        .await?;
    Ok(())
}

/// All queues of a tenant: there are few.
pub(crate) async fn all(reader: &mut Reader, tenant: &TenantId) -> Result<Vec<StoredQueue>, StoreError> {
    list(reader, tenant, &ConfigurationCursor::default(), MAX_QUEUES).await
}

/// The same within a change.
pub(crate) async fn all_now(tx: &mut Tx, tenant: &TenantId) -> Result<Vec<StoredQueue>, StoreError> {
    let rows: Vec<Row> = on!(tx, conn => sqlx::query_as(
        "SELECT queue_id, queue, etag FROM queues WHERE tenant = $1 ORDER BY name_key, queue_id")
        .bind(tenant.as_str())
        .fetch_all(conn)
        .await)?;
    rows.into_iter().map(Row::into_queue).collect()
}
