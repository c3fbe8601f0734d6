//! The events of this service, written in the transaction of the change that they report.

use baton_api::event::v1::event_data::Data;
use baton_api::event::v1::{EventData, RecordingSettingsChanged};
use baton_api::recording::v1::NumberRecordingSettings;
use baton_bus::{actor_text, caller_actor};
use baton_runtime::auth::Caller;
use baton_runtime::{ids, telemetry};
use baton_store::outbox::{self, OutboxRow};
use baton_store::{StoreError, Tx};
use prost::Message as _;
use tonic::Status;

/// Something that happened.
#[derive(Debug)]
pub(crate) struct NewEvent<'a> {
    pub(crate) data: Data,
    /// Whose doing it was; see [`actor_text`].
    pub(crate) by: &'a str,
    pub(crate) now_us: i64,
}

/// The subject is the interaction, as it is for all that belongs to a call; each service numbers its own events of it.
pub(crate) async fn of_interaction(
    tx: &mut Tx,
    tenant: &str,
    interaction_id: &str,
    event: NewEvent<'_>,
) -> Result<(), StoreError> {
    append(tx, tenant, format!("interaction/{interaction_id}"), event).await
}

/// What is recorded on a number was set.
pub(crate) async fn settings_changed(
    tx: &mut Tx,
    caller: &Caller,
    settings: &NumberRecordingSettings,
    now_us: i64,
) -> Result<(), Status> {
    let data = Data::RecordingSettingsChanged(RecordingSettingsChanged { settings: Some(settings.clone()) });
    let by = actor_text(&caller_actor(caller));
    let number = format!("number/{}", settings.number);
    Ok(append(tx, caller.tenant()?.as_str(), number, NewEvent { data, by: &by, now_us }).await?)
}

async fn append(tx: &mut Tx, tenant: &str, aggregate: String, event: NewEvent<'_>) -> Result<(), StoreError> {
    let event_type = match event.data {
        Data::RecordingDeleted(_) => "recording.deleted",
        Data::RecordingSettingsChanged(_) => "recording.settings_changed",
        Data::VoicemailMessageLeft(_) => "voicemail.message_left",
        Data::VoicemailNoMessage(_) => "voicemail.no_message",
        Data::VoicemailMessageHeard(_) => "voicemail.message_heard",
        Data::VoicemailMessageDeleted(_) => "voicemail.message_deleted",
        _ => "recording.stored",
    };
    let row = OutboxRow {
        id: ids::new_uuid(),
        tenant: tenant.to_owned(),
        sequence: outbox::next_sequence(tx, tenant, &aggregate).await?,
        aggregate,
        event_type: event_type.to_owned(),
        area: crate::AREA.to_owned(),
        payload: EventData { data: Some(event.data) }.encode_to_vec(),
        actor: event.by.to_owned(),
        traceparent: telemetry::traceparent(),
        time_us: event.now_us,
    };
    outbox::append(tx, &[row]).await
}
