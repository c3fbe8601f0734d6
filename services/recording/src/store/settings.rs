//! The recording mode of a number.

use baton_api::common::v1::RecordingMode;
use baton_store::{Db, StoreError, Tx, on};

/// `None` if no mode was set.
pub(crate) async fn lookup(db: &Db, tenant: &str, phone_number: &str) -> Result<Option<RecordingMode>, StoreError> {
    let mut reader = db.read().await?;
    let mode: Option<i64> = on!(reader, conn => sqlx::query_scalar(
        "SELECT mode FROM recording_settings WHERE tenant = $1 AND phone_number = $2")
        .bind(tenant)
        .bind(phone_number)
        .fetch_optional(conn)
        .await)?;
    mode.map(|mode| read_mode(mode, tenant)).transpose()
}

pub(crate) async fn set(
    tx: &mut Tx,
    tenant: &str,
    phone_number: &str,
    mode: RecordingMode,
    now_us: i64,
) -> Result<(), StoreError> {
    on!(tx, conn => sqlx::query(
        "INSERT INTO recording_settings (tenant, phone_number, mode, updated_us) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant, phone_number) DO UPDATE SET mode = excluded.mode, updated_us = excluded.updated_us")
        .bind(tenant)
        .bind(phone_number)
        .bind(i64::from(mode as i32))
        .bind(now_us)
        .execute(conn)
        .await)?;
    Ok(())
}

fn read_mode(mode: i64, tenant: &str) -> Result<RecordingMode, StoreError> {
    let known = i32::try_from(mode).ok().and_then(|mode| RecordingMode::try_from(mode).ok());
    known.ok_or_else(|| super::corrupt("recording_settings", "mode", tenant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_row_that_cannot_be_read_is_reported_without_the_number() {
        let (db, _folder) = crate::store::tests::database().await;
        let mut tx = db.begin().await.unwrap();
        on!(tx, conn => sqlx::query("INSERT INTO recording_settings VALUES ('acme', '+4930123456', 99, 0)")
            .execute(conn)
            .await)
        .unwrap();
        tx.commit().await.unwrap();
        let error = lookup(&db, "acme", "+4930123456").await.unwrap_err().to_string();
        assert!(error.contains("recording_settings") && !error.contains("4930123456"), "{error}");
    }
}
