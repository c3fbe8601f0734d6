//! What is recorded on the numbers of which somebody has said so.

use baton_api::common::v1::RecordingMode;
use baton_store::{Etag, Reader, StoreError, Tx, on};

#[derive(sqlx::FromRow)]
struct Row {
    phone_number: String,
    mode: i64,
    etag: Etag,
}

/// A number's settings and which version of them that is.
#[derive(Debug)]
pub(crate) struct StoredSettings {
    pub(crate) phone_number: String,
    pub(crate) mode: RecordingMode,
    pub(crate) etag: Etag,
}

impl Row {
    /// The error names the tenant, because a number is not logged.
    fn into_settings(self, tenant: &str) -> Result<StoredSettings, StoreError> {
        let mode = i32::try_from(self.mode).ok().and_then(|mode| RecordingMode::try_from(mode).ok());
        let mode = mode.ok_or_else(|| super::corrupt("recording_settings", "mode", tenant))?;
        Ok(StoredSettings { phone_number: self.phone_number, mode, etag: self.etag })
    }
}

macro_rules! select_settings {
    ($handle:ident, $tenant:ident, $phone_number:ident) => {{
        let row: Option<Row> = on!($handle, conn => sqlx::query_as(
            "SELECT phone_number, mode, etag FROM recording_settings WHERE tenant = $1 AND phone_number = $2")
            .bind($tenant)
            .bind($phone_number)
            .fetch_optional(conn)
            .await)?;
        row.map(|it| it.into_settings($tenant)).transpose()
    }};
}

/// One number's settings, within a change; `None` if nobody has set them.
pub(crate) async fn get(tx: &mut Tx, tenant: &str, phone_number: &str) -> Result<Option<StoredSettings>, StoreError> {
    select_settings!(tx, tenant, phone_number)
}

/// The same for a reader.
pub(crate) async fn look_up(
    reader: &mut Reader,
    tenant: &str,
    phone_number: &str,
) -> Result<Option<StoredSettings>, StoreError> {
    select_settings!(reader, tenant, phone_number)
}

/// A page by number.
pub(crate) async fn list(
    reader: &mut Reader,
    tenant: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<StoredSettings>, StoreError> {
    let rows: Vec<Row> = on!(reader, conn => sqlx::query_as(
        "SELECT phone_number, mode, etag FROM recording_settings
         WHERE tenant = $1 AND phone_number > $2 ORDER BY phone_number LIMIT $3")
        .bind(tenant)
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await)?;
    rows.into_iter().map(|it| it.into_settings(tenant)).collect()
}

/// Locks a number's settings, whether there are any or not.
pub(crate) async fn lock(tx: &mut Tx, tenant: &str, phone_number: &str) -> Result<(), StoreError> {
    tx.lock([format!("recording/settings/{tenant}/{phone_number}")]).await
}

/// Writes a number's settings in the place of what they were.
pub(crate) async fn put(tx: &mut Tx, tenant: &str, settings: &StoredSettings, now_us: i64) -> Result<(), StoreError> {
    tx.statement(
        "INSERT INTO recording_settings (tenant, phone_number, mode, updated_us, etag) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant, phone_number)
             DO UPDATE SET mode = excluded.mode, updated_us = excluded.updated_us, etag = excluded.etag",
    )
    .bind(tenant)
    .bind(&settings.phone_number)
    .bind(i64::from(settings.mode as i32))
    .bind(now_us)
    .bind(&settings.etag)
    .run()
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_row_that_cannot_be_read_is_reported_without_the_number() {
        let (db, _folder) = crate::store::tests::database().await;
        let mut tx = db.begin().await.unwrap();
        let row = "INSERT INTO recording_settings VALUES ('acme', '+4930123456', 99, 0, 'e')";
        tx.statement(row).affected().await.unwrap();
        tx.commit().await.unwrap();
        let mut reader = db.read().await.unwrap();
        let error = look_up(&mut reader, "acme", "+4930123456").await.unwrap_err().to_string();
        assert!(error.contains("recording_settings") && !error.contains("4930123456"), "{error}");
    }
}
