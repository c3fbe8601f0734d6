//! Stored rows into the contract's messages.

use baton_api::common::v1::Customer;
use baton_api::recording::v1 as proto;
use baton_store::StoreError;

use super::parse::Viewer;
use crate::state::RecordingState;
use crate::store::manifest::{ExcludedStretch, HeardAgent};
use crate::store::{recordings, segments};
use crate::time::stamp;

/// The rows that belong to the recordings of a page.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) segments: Vec<segments::Row>,
    pub(crate) heard: Vec<HeardAgent>,
    pub(crate) exclusions: Vec<ExcludedStretch>,
}

/// A recording as this viewer sees it.
pub(crate) fn recording(
    row: &recordings::Row,
    parts: &Parts,
    viewer: &Viewer<'_>,
) -> Result<proto::Recording, StoreError> {
    let own_segments = parts.segments.iter().filter(|it| it.recording_id == row.recording_id);
    let own_exclusions = parts.exclusions.iter().filter(|it| it.recording_id == row.recording_id);
    let others = parts.heard.iter().filter(|it| it.recording_id == row.recording_id && it.agent_id != row.agent_id);
    let never = row.expire_us == i64::MAX;
    Ok(proto::Recording {
        recording_id: row.recording_id.clone(),
        interaction_id: row.interaction_id.clone(),
        ordinal: row.number as i32,
        state: state(row.state()?).into(),
        agent_id: row.agent_id.clone(),
        other_agent_ids: others.map(|it| it.agent_id.clone()).collect(),
        number: row.phone_number.clone(),
        customer: Some(Customer {
            address: if viewer.anonymous { String::new() } else { row.customer.clone() },
            key: row.customer_key.clone(),
        }),
        direction: row.direction as i32,
        segments: own_segments.map(segment).collect::<Result<_, _>>()?,
        excluded: own_exclusions.map(exclusion).collect(),
        start_time: Some(stamp(row.start_us)),
        end_time: row.end_us.map(stamp),
        expire_time: (!never).then(|| stamp(row.expire_us)),
    })
}

fn segment(row: &segments::Row) -> Result<proto::Segment, StoreError> {
    let state = row.state()?;
    Ok(proto::Segment {
        segment_id: row.segment_id.clone(),
        start_time: row.start_us.map(stamp),
        end_time: row.end_us.map(stamp),
        duration_ms: row.duration_ms(),
        sha256: row.stored.sha256.clone(),
        size_bytes: row.stored.size_bytes,
        lost: state.is_lost(),
        torn: state.torn,
    })
}

fn exclusion(row: &ExcludedStretch) -> proto::Exclusion {
    proto::Exclusion {
        start_time: Some(stamp(row.start_us)),
        end_time: Some(stamp(row.end_us)),
        reason: row.reason as i32,
    }
}

fn state(state: RecordingState) -> proto::recording::State {
    match state {
        RecordingState::Recording => proto::recording::State::Recording,
        RecordingState::Stored => proto::recording::State::Stored,
        RecordingState::Incomplete => proto::recording::State::Incomplete,
        RecordingState::Deleted => proto::recording::State::Deleted,
    }
}
