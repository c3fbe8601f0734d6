//! The access log: each download, with the caller and the time.

use baton_store::{Db, Reader, StoreError, change, on};
use uuid::Uuid;

/// An entry of the access log that is to be written.
#[derive(Debug, Clone)]
pub(crate) struct Download<'a> {
    pub(crate) id: Uuid,
    pub(crate) tenant: &'a str,
    pub(crate) recording_id: &'a str,
    /// Empty for the whole recording.
    pub(crate) segment_id: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) role: &'a str,
    pub(crate) at_us: i64,
}

/// Writes an entry; nothing is sent before this has succeeded.
pub(crate) async fn log(db: &Db, it: &Download<'_>) -> Result<(), StoreError> {
    db.change(change!(|tx| {
        tx.statement(
            "INSERT INTO downloads (id, tenant, recording_id, segment_id, subject, role, at_us)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(it.id)
        .bind(it.tenant)
        .bind(it.recording_id)
        .bind(it.segment_id)
        .bind(it.subject)
        .bind(it.role)
        .bind(it.at_us)
        .run()
        .await?;
        Ok(())
    }))
    .await
}

/// An entry of the access log.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Row {
    pub(crate) id: Uuid,
    pub(crate) recording_id: String,
    /// Empty for the whole recording.
    pub(crate) segment_id: String,
    pub(crate) subject: String,
    pub(crate) role: String,
    pub(crate) at_us: i64,
}

/// The entries of a recording, or of all where it is empty, before this time and id: the last one first.
pub(crate) async fn page(
    reader: &mut Reader,
    (tenant, recording_id): (&str, &str),
    (before_us, before_id): (i64, Uuid),
    limit: i64,
) -> Result<Vec<Row>, StoreError> {
    Ok(on!(reader, conn => {
        let mut sql = sqlx::QueryBuilder::new(
            "SELECT id, recording_id, segment_id, subject, role, at_us FROM downloads WHERE tenant = ");
        sql.push_bind(tenant);
        if !recording_id.is_empty() {
            sql.push(" AND recording_id = ").push_bind(recording_id);
        }
        sql.push(" AND (at_us, id) < (").push_bind(before_us).push(", ").push_bind(before_id);
        sql.push(") ORDER BY at_us DESC, id DESC LIMIT ").push_bind(limit);
        sql.build_query_as().fetch_all(conn).await
    })?)
}
