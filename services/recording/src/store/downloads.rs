//! The access log: each download, with the caller and the time.

use baton_store::{Db, StoreError, on};
use uuid::Uuid;

/// An entry of the access log.
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
    let mut tx = db.begin().await?;
    on!(tx, conn => sqlx::query(
        "INSERT INTO downloads (id, tenant, recording_id, segment_id, subject, role, at_us)
         VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(it.id)
        .bind(it.tenant)
        .bind(it.recording_id)
        .bind(it.segment_id)
        .bind(it.subject)
        .bind(it.role)
        .bind(it.at_us)
        .execute(conn)
        .await)?;
    tx.commit().await
}
