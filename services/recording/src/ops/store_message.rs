//! Storing a message that a customer left in voicemail, or that they left none (F8). Telephony sends each visit to a box until it is
//! acknowledged; the first answer counts, and is published once.

use baton_api::event::v1::event_data::Data;
use baton_api::event::v1::{VoicemailMessageLeft, VoicemailNoMessage};
use baton_api::recording::v1::{SegmentHeader, StoreSegmentResponse};
use baton_store::{StoreError, change};
use bytes::Bytes;
use futures::Stream;
use tonic::Status;

use super::store_segment::{answer, drain, refusal};
use crate::audio::files::Files;
use crate::audio::intake::{StoredFile, store_file};
use crate::core::RecordingCore;
use crate::events::{self, NewEvent};
use crate::settle::SYSTEM;
use crate::store::messages::{self, MailboxVisit, StoredMessage};
use baton_api::{ApiError, common::v1::Customer};

/// Stores what was left; `header.lost` says that nothing was.
pub(crate) async fn store<S>(
    core: &RecordingCore,
    visit: &MailboxVisit,
    header: &SegmentHeader,
    mut chunks: S,
) -> Result<StoreSegmentResponse, Status>
where
    S: Stream<Item = Result<Bytes, Status>> + Unpin,
{
    if let Some(known) = messages::lookup(&core.db, &visit.tenant, &visit.message_id).await? {
        drain(&mut chunks).await?;
        return Ok(answer(known.stored.sha256, known.stored.size_bytes as u64));
    }
    if header.lost {
        none_left(core, visit, 0).await?;
        return Ok(StoreSegmentResponse::default());
    }
    // The semaphore is never closed, so this only waits.
    let _permit = core.uploads.acquire().await.map_err(|_| ApiError::unavailable("The service is stopping."))?;
    let location = Files::location(&visit.tenant, &visit.interaction_id, &visit.message_id);
    let stored = store_file(&core.files, &location, &header.sha256, chunks).await;
    let file = stored.map_err(|error| refusal(&visit.message_id, error))?;
    let duration_ms = duration_ms(&file);
    if duration_ms < core.voicemail.shortest_ms {
        core.files.delete(&location).await.map_err(|error| {
            tracing::error!(error = ?error, message.id = visit.message_id, "a message that is too short is still stored");
            ApiError::unavailable("The message is too short to be kept, and its file is not gone yet. Try again.")
        })?;
        none_left(core, visit, duration_ms).await?;
        return Ok(StoreSegmentResponse::default());
    }
    let message = StoredMessage {
        file: &file,
        location: &location,
        left_us: header.started_at_us,
        expire_us: header.started_at_us.saturating_add(core.voicemail.kept_us),
        torn: header.torn,
    };
    left(core, visit, &message, duration_ms).await?;
    Ok(answer(file.sha256, file.size_bytes))
}

fn duration_ms(file: &StoredFile) -> i64 {
    file.layout.format.duration_ms(file.layout.data_bytes) as i64
}

async fn left(
    core: &RecordingCore,
    visit: &MailboxVisit,
    message: &StoredMessage<'_>,
    duration_ms: i64,
) -> Result<(), StoreError> {
    let data = Data::VoicemailMessageLeft(VoicemailMessageLeft {
        message_id: visit.message_id.clone(),
        mailbox: visit.mailbox.clone(),
        customer: Some(Customer { address: visit.customer.clone(), key: visit.customer_key.clone() }),
        number: visit.phone_number.clone(),
        duration_ms,
    });
    record(core, visit, Some(message), data).await
}

async fn none_left(core: &RecordingCore, visit: &MailboxVisit, duration_ms: i64) -> Result<(), StoreError> {
    let data = Data::VoicemailNoMessage(VoicemailNoMessage { mailbox: visit.mailbox.clone(), duration_ms });
    record(core, visit, None, data).await
}

/// In one transaction, so that what is published is what is stored.
async fn record(
    core: &RecordingCore,
    visit: &MailboxVisit,
    message: Option<&StoredMessage<'_>>,
    data: Data,
) -> Result<(), StoreError> {
    let now_us = core.clock.now_us();
    let data = &data;
    core.db
        .change(change!(|tx| {
            if messages::insert(tx, visit, message, now_us).await? {
                let event = NewEvent { data: data.clone(), by: SYSTEM, now_us };
                events::of_interaction(tx, &visit.tenant, &visit.interaction_id, event).await?;
            }
            Ok(())
        }))
        .await
}
