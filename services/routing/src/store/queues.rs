//! Queues.

super::named::named_messages!(Queue in "queues", "queue_id", "queue");

/// Queues of a tenant.
pub(crate) const MAX_QUEUES: usize = 500;

/// All queues of a tenant: there are few.
pub(crate) async fn all(reader: &mut Reader, tenant: &TenantId) -> Result<Vec<Stored<Queue>>, StoreError> {
    list(reader, tenant, &ConfigurationCursor::default(), MAX_QUEUES).await
}

/// The same within a change.
pub(crate) async fn all_now(tx: &mut Tx, tenant: &TenantId) -> Result<Vec<Stored<Queue>>, StoreError> {
    let rows: Vec<Row> = on!(tx, conn => sqlx::query_as(
        "SELECT queue_id, queue, etag FROM queues WHERE tenant = $1 ORDER BY name_key, queue_id")
        .bind(tenant.as_str())
        .fetch_all(conn)
        .await)?;
    rows.into_iter().map(read).collect()
}
