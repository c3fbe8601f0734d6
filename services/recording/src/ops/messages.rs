//! Listing, reading and playing voicemail messages.

use std::sync::Arc;

use baton_api::common::v1::Customer;
use baton_api::event::v1::VoicemailMessageHeard;
use baton_api::event::v1::event_data::Data;
use baton_api::recording::v1::{DownloadMessageRequest, ListMessagesRequest, ListMessagesResponse, VoicemailMessage};
use baton_api::{ApiError, fields, page};
use baton_bus::{actor_text, caller_actor};
use baton_runtime::auth::{Caller, Role};
use baton_store::{StoreError, change};
use bytes::Bytes;
use futures::{FutureExt as _, Stream};
use tonic::Status;
use uuid::Uuid;

use super::download::{self, MayGoOn};
use crate::audio::download::{AudioDownload, DownloadError};
use crate::core::RecordingCore;
use crate::events::{self, NewEvent};
use crate::grpc::parse;
use crate::store::messages::{self, MessagesQuery, Row};
use crate::time::stamp;

/// A page of the messages that the caller may play, the newest first.
pub(crate) async fn list(
    core: &RecordingCore,
    caller: &Caller,
    request: &ListMessagesRequest,
) -> Result<ListMessagesResponse, ApiError> {
    let (size, asked, before) = fields::all((
        page::size(request.page_size),
        parse::mailbox("mailbox", &request.mailbox),
        page::after(&request.page_token, parse::message_page_token),
    ))?;
    let mailbox = match own_box(caller) {
        None => asked,
        Some(own) if asked.is_empty() || asked == own => own,
        Some(_) => return Err(ApiError::permission_denied("An agent has the messages of their own box alone.")),
    };
    let query = MessagesQuery {
        tenant: caller.tenant()?.as_str(),
        mailbox,
        unheard_only: request.unheard_only,
        before: before.unwrap_or((i64::MAX, "")),
    };
    // One row more than the page has shows whether there is a next page.
    let mut rows = messages::page(&core.db, &query, size as i64 + 1).await?;
    let next_page_token = page::cut(&mut rows, size, |it| parse::next_message_page_token(it.left_us, &it.message_id));
    Ok(ListMessagesResponse { messages: rows.into_iter().map(shown).collect(), next_page_token })
}

/// One message. For a caller of another tenant, and for an agent whose box it is not in, it does not exist (X1).
pub(crate) async fn get(core: &RecordingCore, caller: &Caller, message_id: &str) -> Result<VoicemailMessage, ApiError> {
    find(core, caller, message_id).await.map(shown)
}

/// The message's row, if the caller may play it and it was not deleted.
async fn find(core: &RecordingCore, caller: &Caller, message_id: &str) -> Result<Row, ApiError> {
    let message_id = parse::id("message_id", message_id)?;
    let row = messages::lookup(&core.db, caller.tenant()?.as_str(), message_id).await?;
    row.filter(|it| it.is_kept() && is_of(it, caller)).ok_or_else(not_found)
}

/// Whether the caller may play and delete it.
pub(crate) fn is_of(row: &Row, caller: &Caller) -> bool {
    own_box(caller).is_none_or(|own| row.mailbox == own)
}

pub(crate) fn not_found() -> ApiError {
    ApiError::not_found("message")
}

/// An agent's box; `None` for those who look after all boxes.
fn own_box(caller: &Caller) -> Option<&str> {
    (caller.role == Role::Agent).then_some(caller.subject.as_str())
}

/// The audio, in chunks. Before the first byte it is noted who was given it, and that the message was heard.
pub(crate) async fn play(
    core: &Arc<RecordingCore>,
    caller: &Caller,
    request: &DownloadMessageRequest,
) -> Result<impl Stream<Item = Result<Bytes, Status>> + Send + use<>, Status> {
    let row = find(core, caller, &request.message_id).await?;
    let permit = core.downloads.take(&row.tenant).map_err(download::too_many)?;
    download::log(core, caller, (&row.message_id, "")).await?;
    // Somebody who looks after an agent's box has not heard it for the agent.
    if row.heard_us.is_none() && (own_box(caller).is_some() || !is_of_an_agent(&row)) {
        heard(core, caller, &row).await?;
    }
    let audio = AudioDownload::single(row.stored.piece());
    let may_go_on: MayGoOn = Box::new(move |core| {
        let (core, row) = (Arc::clone(core), row.clone());
        async move { still_there(&core, &row).await }.boxed()
    });
    Ok(download::stream(core, permit, audio, may_go_on))
}

/// Boxes of agents are named by their ids, those of call flows by words.
fn is_of_an_agent(row: &Row) -> bool {
    Uuid::try_parse(&row.mailbox).is_ok()
}

async fn heard(core: &RecordingCore, caller: &Caller, row: &Row) -> Result<(), StoreError> {
    let now_us = core.clock.now_us();
    core.db
        .change(change!(|tx| {
            if messages::heard(tx, &row.tenant, &row.message_id, now_us).await? {
                let data = VoicemailMessageHeard { message_id: row.message_id.clone(), mailbox: row.mailbox.clone() };
                let by = actor_text(&caller_actor(caller));
                let event = NewEvent { data: Data::VoicemailMessageHeard(data), by: &by, now_us };
                events::of_interaction(tx, &row.tenant, &row.interaction_id, event).await?;
            }
            Ok(())
        }))
        .await
}

async fn still_there(core: &RecordingCore, row: &Row) -> Result<(), DownloadError> {
    let row = messages::lookup(&core.db, &row.tenant, &row.message_id).await?;
    if row.is_some_and(|it| it.is_kept()) { Ok(()) } else { Err(DownloadError::Deleted) }
}

fn shown(row: Row) -> VoicemailMessage {
    let never = row.expire_us == i64::MAX;
    VoicemailMessage {
        duration_ms: row.stored.duration_ms(),
        message_id: row.message_id,
        interaction_id: row.interaction_id,
        mailbox: row.mailbox,
        customer: Some(Customer { address: row.customer, key: row.customer_key }),
        number: row.phone_number,
        start_time: Some(stamp(row.left_us)),
        heard_time: row.heard_us.map(stamp),
        torn: row.torn,
        expire_time: (!never).then(|| stamp(row.expire_us)),
    }
}
