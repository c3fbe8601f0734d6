//! Deleting all recordings and messages of a customer who is to be forgotten.

use baton_api::ApiError;
use baton_api::recording::v1::ForgetCustomerResponse;

use super::{delete, delete_message};
use crate::core::RecordingCore;
use crate::store::{messages, recordings};

/// Returns when the files are gone. A recording that still waits for audio is deleted, too: what comes later is not kept.
pub(crate) async fn forget(
    core: &RecordingCore,
    (tenant, customer_key): (&str, &str),
    by: &str,
) -> Result<ForgetCustomerResponse, ApiError> {
    let mut forgotten = ForgetCustomerResponse::default();
    for row in recordings::of_customer(&core.db, tenant, customer_key).await? {
        delete::mark(core, &row, by).await?;
        let marked = recordings::lookup(&core.db, tenant, &row.recording_id, "").await?.unwrap_or(row);
        delete::purge(core, &marked).await.map_err(|error| {
            tracing::warn!(error = ?error, recording.id = marked.recording_id, "deleted audio is still in the storage");
            ApiError::unavailable("Not all recordings of the customer are gone yet. Try again.")
        })?;
        forgotten.recordings += 1;
    }
    for row in messages::of_customer(&core.db, tenant, customer_key).await? {
        delete_message::mark(core, &row, by).await?;
        delete_message::purge(core, &row).await.map_err(|error| {
            tracing::warn!(error = ?error, message.id = row.message_id, "a deleted message is still in the storage");
            ApiError::unavailable("Not all messages of the customer are gone yet. Try again.")
        })?;
        forgotten.messages += 1;
    }
    Ok(forgotten)
}
