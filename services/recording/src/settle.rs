//! Recomputes a recording's state at the end of every change, and publishes the difference.

use baton_api::event::v1::event_data::Data;
use baton_api::event::v1::{RecordingDeleted, RecordingStored};
use baton_store::{StoreError, Tx};

use crate::events::{self, NewEvent};
use crate::state::{RecordingState, SegmentState, state_of};
use crate::store::recordings::{self, Row};
use crate::store::segments;

/// The actor of changes that no caller asked for.
pub(crate) const SYSTEM: &str = "system";

/// Computes the recording's state anew; publishes `recording.stored` when it became complete (R4: after everything is
/// stored, in the same transaction; after `recording.ended`, and once, also where a lost segment turns up later). Does
/// nothing for a recording of which no event has come yet.
pub(crate) async fn settle(tx: &mut Tx, tenant: &str, recording_id: &str, now_us: i64) -> Result<(), StoreError> {
    recordings::lock(tx, tenant, recording_id).await?;
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
    let event = NewEvent { data: Data::RecordingStored(stored), by: SYSTEM, now_us };
    events::of_interaction(tx, tenant, &recording.interaction_id, event).await
}

/// Publishes `recording.deleted`, after the audio was removed.
pub(crate) async fn announce_deleted(tx: &mut Tx, recording: &Row, now_us: i64) -> Result<(), StoreError> {
    let by = recording.deleted_by.as_str();
    let deleted = RecordingDeleted { recording_id: recording.recording_id.clone(), expired: by == SYSTEM };
    let event = NewEvent { data: Data::RecordingDeleted(deleted), by, now_us };
    events::of_interaction(tx, &recording.tenant, &recording.interaction_id, event).await
}
