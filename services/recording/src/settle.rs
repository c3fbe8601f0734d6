//! Recomputes a recording's state at the end of every change, and publishes the difference.

use baton_api::event::v1::{EventData, RecordingDeleted, RecordingStored, event_data::Data};
use baton_runtime::{ids, telemetry};
use baton_store::outbox::{self, OutboxRow};
use baton_store::{StoreError, Tx};
use prost::Message as _;

use crate::state::{RecordingState, SegmentState, state_of};
use crate::store::recordings::{self, Row};
use crate::store::segments;

/// The actor of changes that no caller asked for.
pub(crate) const SYSTEM: &str = "system";

/// Computes the recording's state anew; publishes `recording.stored` when it became complete (R4: after everything is
/// stored, in the same transaction; after `recording.ended`, and once, also where a lost segment turns up later). Does
/// nothing for a recording of which no event has come yet.
pub(crate) async fn settle(tx: &mut Tx, tenant: &str, recording_id: &str, now_us: i64) -> Result<(), StoreError> {
    let Some(recording) = recordings::load(tx, tenant, recording_id).await? else { return Ok(()) };
    let known = recording.state()?;
    if known == RecordingState::Deleted {
        return Ok(());
    }
    let rows = segments::load(tx, tenant, recording_id).await?;
    let states = rows.iter().map(segments::Row::state).collect::<Result<Vec<SegmentState>, _>>()?;
    let state = state_of(recording.end_seen, &states);
    if state == known {
        return Ok(());
    }
    recordings::set_state(tx, tenant, recording_id, state).await?;
    if state == RecordingState::Recording || !recordings::announce(tx, tenant, recording_id).await? {
        return Ok(());
    }
    let duration_ms = rows.iter().map(segments::Row::duration_ms).sum();
    let stored = RecordingStored {
        recording_id: recording_id.to_owned(),
        incomplete: state == RecordingState::Incomplete,
        duration_ms,
    };
    let event = RecordingEvent { data: Data::RecordingStored(stored), by: SYSTEM, now_us };
    publish(tx, tenant, &recording.interaction_id, event).await
}

/// Publishes `recording.deleted`, after the audio was removed.
pub(crate) async fn announce_deleted(tx: &mut Tx, recording: &Row, now_us: i64) -> Result<(), StoreError> {
    let by = recording.deleted_by.as_str();
    let deleted = RecordingDeleted { recording_id: recording.recording_id.clone(), expired: by == SYSTEM };
    let event = RecordingEvent { data: Data::RecordingDeleted(deleted), by, now_us };
    publish(tx, &recording.tenant, &recording.interaction_id, event).await
}

struct RecordingEvent<'a> {
    data: Data,
    by: &'a str,
    now_us: i64,
}

/// The subject is the interaction, as it is for all that belongs to a call; each service numbers its own events of it.
async fn publish(tx: &mut Tx, tenant: &str, interaction_id: &str, event: RecordingEvent<'_>) -> Result<(), StoreError> {
    let aggregate = format!("interaction/{interaction_id}");
    let sequence = outbox::next_sequence(tx, tenant, &aggregate).await?;
    let event_type = match event.data {
        Data::RecordingDeleted(_) => "recording.deleted",
        _ => "recording.stored",
    };
    let row = OutboxRow {
        id: ids::new_uuid(),
        tenant: tenant.to_owned(),
        aggregate,
        sequence,
        event_type: event_type.to_owned(),
        area: crate::AREA.to_owned(),
        payload: EventData { data: Some(event.data) }.encode_to_vec(),
        actor: event.by.to_owned(),
        traceparent: telemetry::traceparent(),
        time_us: event.now_us,
    };
    outbox::append(tx, &[row]).await
}
