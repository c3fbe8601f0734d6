//! The projection of the transfer service's events onto the rows of recordings and segments.
//!
//! Each event is applied in the transaction that remembers it, so it counts once. Audio may come before the event that
//! announces it, so every function here keeps the more exact values that came with the audio.

use baton_api::event::v1::event_data::Data;
use baton_api::event::v1::{
    EventData, RecordingExcluded, RecordingSegmentEnded, RecordingSegmentStarted, RecordingStarted,
};
use baton_bus::{Envelope, EventMatcher, EventMatcherError, Failure, Handler, Logged};
use baton_store::Tx;
use prost::Message as _;

use crate::settle::settle;
use crate::store::manifest::{self, ExcludedStretch, HeardAgent};
use crate::store::{recordings, segments};
use crate::time;

/// The events that are read. This service's own events are among them, and skipped.
pub(crate) fn filter() -> Result<EventMatcher, EventMatcherError> {
    EventMatcher::types(["recording.*", "interaction.ended"])
}

#[derive(Debug)]
pub(crate) struct RecordingProjection {
    /// How long audio is kept after its tenure.
    pub(crate) retention_us: i64,
}

impl Handler for RecordingProjection {
    async fn handle(&self, tx: &mut Tx, event: &Logged) -> Result<(), Failure> {
        let envelope = &event.envelope;
        let Some(about) = EventContext::of(envelope) else { return Ok(()) };
        let Some(data) = EventData::decode(envelope.payload.as_slice())?.data else { return Ok(()) };
        self.apply(tx, &about, data).await
    }
}

/// The interaction that an event is about, and the event's time.
struct EventContext<'a> {
    tenant: &'a str,
    interaction_id: &'a str,
    time_us: i64,
}

impl<'a> EventContext<'a> {
    /// `None` for what is not about an interaction.
    fn of(envelope: &'a Envelope) -> Option<Self> {
        let interaction_id = envelope.aggregate.strip_prefix("interaction/")?;
        Some(Self { tenant: &envelope.tenant, interaction_id, time_us: envelope.time_us })
    }

    fn segment_key(&self, recording_id: &str, segment_id: &str) -> segments::SegmentKey {
        segments::SegmentKey {
            tenant: self.tenant.to_owned(),
            interaction_id: self.interaction_id.to_owned(),
            recording_id: recording_id.to_owned(),
            segment_id: segment_id.to_owned(),
        }
    }
}

impl RecordingProjection {
    async fn apply(&self, tx: &mut Tx, about: &EventContext<'_>, data: Data) -> Result<(), Failure> {
        match data {
            Data::RecordingStarted(it) => self.started(tx, about, &it).await,
            Data::RecordingSegmentStarted(it) => segment_started(tx, about, &it).await,
            Data::RecordingSegmentEnded(it) => segment_ended(tx, about, &it).await,
            Data::RecordingExcluded(it) => excluded(tx, about, it).await,
            Data::RecordingEnded(it) => self.ended(tx, about, &it.recording_id).await,
            Data::InteractionEnded(_) => self.interaction_ended(tx, about).await,
            // A pause comes as an excluded stretch; other events are not about recordings.
            _ => Ok(()),
        }
    }

    async fn started(&self, tx: &mut Tx, about: &EventContext<'_>, it: &RecordingStarted) -> Result<(), Failure> {
        let customer = it.customer.clone().unwrap_or_default();
        let tenure = recordings::TenureStart {
            tenant: about.tenant,
            recording_id: &it.recording_id,
            interaction_id: about.interaction_id,
            number: i64::from(it.ordinal),
            agent_id: &it.agent_id,
            phone_number: &it.number,
            customer: &customer.address,
            customer_key: &customer.key,
            direction: it.direction,
            start_us: about.time_us,
            expire_us: about.time_us.saturating_add(self.retention_us),
        };
        recordings::begin(tx, &tenure).await?;
        if !it.agent_id.is_empty() {
            heard(tx, about, &it.recording_id, &it.agent_id).await?;
        }
        Ok(())
    }

    async fn ended(&self, tx: &mut Tx, about: &EventContext<'_>, recording_id: &str) -> Result<(), Failure> {
        let expire_us = about.time_us.saturating_add(self.retention_us);
        recordings::end(tx, about.tenant, recording_id, about.time_us, expire_us).await?;
        Ok(settle(tx, about.tenant, recording_id, about.time_us).await?)
    }

    /// The end of an interaction ends its tenures. Their recordings wait for their own ends, which come when the last
    /// segment is closed.
    async fn interaction_ended(&self, tx: &mut Tx, about: &EventContext<'_>) -> Result<(), Failure> {
        let expire_us = about.time_us.saturating_add(self.retention_us);
        Ok(recordings::end_all(tx, about.tenant, about.interaction_id, about.time_us, expire_us).await?)
    }
}

async fn heard(tx: &mut Tx, about: &EventContext<'_>, recording_id: &str, agent_id: &str) -> Result<(), Failure> {
    let heard = HeardAgent { recording_id: recording_id.to_owned(), agent_id: agent_id.to_owned() };
    Ok(manifest::add_agent(tx, about.tenant, about.interaction_id, &heard).await?)
}

async fn segment_started(tx: &mut Tx, about: &EventContext<'_>, it: &RecordingSegmentStarted) -> Result<(), Failure> {
    let key = about.segment_key(&it.recording_id, &it.segment_id);
    segments::note(tx, &key).await?;
    segments::started(tx, &key, about.time_us).await?;
    for agent_id in &it.agent_ids {
        heard(tx, about, &it.recording_id, agent_id).await?;
    }
    Ok(settle(tx, about.tenant, &it.recording_id, about.time_us).await?)
}

async fn segment_ended(tx: &mut Tx, about: &EventContext<'_>, it: &RecordingSegmentEnded) -> Result<(), Failure> {
    let key = about.segment_key(&it.recording_id, &it.segment_id);
    let times = (it.start_time.as_ref().map(time::us), it.end_time.as_ref().map(time::us));
    segments::note(tx, &key).await?;
    // A segment that had begun may have been torn and repaired by the switch: its audio, or the notice that it is lost, will
    // come.
    let never_comes = it.failed && it.start_time.is_none();
    segments::closed(tx, &key, times, never_comes).await?;
    Ok(settle(tx, about.tenant, &it.recording_id, about.time_us).await?)
}

async fn excluded(tx: &mut Tx, about: &EventContext<'_>, it: RecordingExcluded) -> Result<(), Failure> {
    let end_us = it.end_time.as_ref().map_or(about.time_us, time::us);
    let exclusion = ExcludedStretch {
        recording_id: it.recording_id,
        start_us: it.start_time.as_ref().map_or(end_us, time::us),
        end_us,
        reason: i64::from(it.reason),
    };
    Ok(manifest::add_exclusion(tx, about.tenant, &exclusion).await?)
}
