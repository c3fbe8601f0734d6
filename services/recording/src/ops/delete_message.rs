//! Deleting a voicemail message: by its owner, or because it is old. In two steps, as recordings are (see [`delete`](super::delete)):
//! it is marked, so that nobody can play it any more; then its file goes and `voicemail.message_deleted` is published.

use baton_api::ApiError;
use baton_api::event::v1::VoicemailMessageDeleted;
use baton_api::event::v1::event_data::Data;
use baton_api::recording::v1::{DeleteMessageRequest, DeleteMessageResponse};
use baton_bus::{actor_text, caller_actor};
use baton_runtime::auth::Caller;
use baton_store::requests::RequestKey;
use baton_store::{StoreError, change, idempotent};
use tonic::Status;

use super::delete::PurgeError;
use super::messages::{is_of, not_found};
use crate::core::RecordingCore;
use crate::events::{self, NewEvent};
use crate::grpc::parse;
use crate::settle::SYSTEM;
use crate::store::messages::{self, Row};

const METHOD: &str = "/baton.recording.v1.VoicemailService/DeleteMessage";

pub(crate) async fn delete(
    core: &RecordingCore,
    caller: &Caller,
    request: &DeleteMessageRequest,
) -> Result<DeleteMessageResponse, Status> {
    let tenant = caller.tenant()?.as_str();
    let message_id = parse::id("message_id", &request.message_id)?;
    let key = RequestKey::new(tenant, &caller.subject, METHOD, &request.request_id)?;
    let row = messages::lookup(&core.db, tenant, message_id).await?;
    let row = row.filter(|it| it.has_audio() && is_of(it, caller)).ok_or_else(not_found)?;
    let by = actor_text(&caller_actor(caller));
    let now_us = core.clock.now_us();
    let by = &by;
    let response = idempotent(
        &core.db,
        &key,
        request,
        now_us,
        change!(|tx| {
            messages::mark_deleted(tx, (tenant, message_id), by, now_us).await?;
            Ok(DeleteMessageResponse {})
        }),
    )
    .await?;
    purge(core, &row).await.map_err(|error| {
        tracing::warn!(error = ?error, message.id = message_id, "a deleted message is still in the storage");
        ApiError::unavailable("Nobody may play it any more, but its file is not gone yet. Try again.")
    })?;
    Ok(response)
}

/// Marks a message as deleted for a reason of Baton's own, or for somebody who has many deleted.
pub(crate) async fn mark(core: &RecordingCore, row: &Row, by: &str) -> Result<(), StoreError> {
    let now_us = core.clock.now_us();
    core.db
        .change(change!(|tx| {
            messages::mark_deleted(tx, (&row.tenant, &row.message_id), by, now_us).await.map(drop)
        }))
        .await
}

/// Removes the file of a message that was marked as deleted, and publishes that once.
pub(crate) async fn purge(core: &RecordingCore, row: &Row) -> Result<(), PurgeError> {
    core.files.delete(&row.location()).await?;
    let now_us = core.clock.now_us();
    let change = core.db.change(change!(|tx| {
        if let Some(by) = messages::purged(tx, &row.tenant, &row.message_id, now_us).await? {
            let data = VoicemailMessageDeleted { message_id: row.message_id.clone(), expired: by == SYSTEM };
            let event = NewEvent { data: Data::VoicemailMessageDeleted(data), by: &by, now_us };
            events::of_interaction(tx, &row.tenant, &row.interaction_id, event).await?;
        }
        Ok::<_, StoreError>(())
    }));
    Ok(change.await?)
}
