//! The events of this service, written in the transaction of the change that they report.

use baton_api::event::v1::RecordingSettingsChanged;
use baton_api::event::v1::event_data::Data;
use baton_api::recording::v1::NumberRecordingSettings;
use baton_bus::{OutgoingEvent, actor_text, caller_actor};
use baton_runtime::auth::Caller;
use baton_store::{StoreError, Tx};
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
    let (data, actor, now_us) = (event.data, event.by, event.now_us);
    OutgoingEvent { tenant, aggregate, area: crate::AREA, event_type, data, actor, now_us }.append(tx).await
}
