//! What recordings there are, learnt from the transfer service's events.
//!
//! Each event is applied in the transaction that remembers it, so it counts once. Audio may come before the event that
//! tells of it, and every function here leaves what the audio knew better as it is.

use baton_api::event::v1::event_data::Data;
use baton_api::event::v1::{
    EventData, RecordingExcluded, RecordingSegmentEnded, RecordingSegmentStarted, RecordingStarted,
};
use baton_api::recording::v1::exclusion::Reason;
use baton_bus::{Envelope, Failure, Filter, FilterError, Handler, Logged};
use baton_store::Tx;
use prost::Message as _;

use crate::settle::settle;
use crate::store::manifest::{self, Exclusion, Heard};
use crate::store::{recordings, segments};
use crate::time;

/// What it listens to. Its own events are among them, and passed over.
pub(crate) fn filter() -> Result<Filter, FilterError> {
    Filter::types(["recording.*", "interaction.ended"])
}

/// Applies events.
#[derive(Debug)]
pub(crate) struct Projection {
    /// How long audio is kept after its turn.
    pub(crate) retention_us: i64,
}

impl Handler for Projection {
    async fn handle(&self, tx: &mut Tx, event: &Logged) -> Result<(), Failure> {
        let envelope = &event.envelope;
        let Some(about) = About::of(envelope) else { return Ok(()) };
        let Some(data) = EventData::decode(envelope.payload.as_slice())?.data else { return Ok(()) };
        self.apply(tx, &about, data).await
    }
}

/// Whose interaction the event is about, and when it happened.
struct About<'a> {
    tenant: &'a str,
    interaction_id: &'a str,
    time_us: i64,
}

impl<'a> About<'a> {
    /// `None` for what is not about an interaction: this service's own events are about recordings.
    fn of(envelope: &'a Envelope) -> Option<Self> {
        let interaction_id = envelope.aggregate.strip_prefix("interaction/")?;
        Some(Self { tenant: &envelope.tenant, interaction_id, time_us: envelope.time_us })
    }

    fn segment(&self, recording_id: &str, segment_id: &str) -> segments::Name {
        segments::Name {
            tenant: self.tenant.to_owned(),
            interaction_id: self.interaction_id.to_owned(),
            recording_id: recording_id.to_owned(),
            segment_id: segment_id.to_owned(),
        }
    }
}

impl Projection {
    async fn apply(&self, tx: &mut Tx, about: &About<'_>, data: Data) -> Result<(), Failure> {
        match data {
            Data::RecordingStarted(it) => self.started(tx, about, &it).await,
            Data::RecordingSegmentStarted(it) => segment_started(tx, about, &it).await,
            Data::RecordingSegmentEnded(it) => segment_ended(tx, about, &it).await,
            Data::RecordingExcluded(it) => excluded(tx, about, it).await,
            Data::RecordingEnded(it) => self.ended(tx, about, &it.recording_id).await,
            Data::InteractionEnded(_) => self.interaction_ended(tx, about).await,
            // A pause shows as an excluded stretch; the rest is not about recordings.
            _ => Ok(()),
        }
    }

    async fn started(&self, tx: &mut Tx, about: &About<'_>, it: &RecordingStarted) -> Result<(), Failure> {
        let beginning = recordings::Beginning {
            tenant: about.tenant,
            recording_id: &it.recording_id,
            interaction_id: about.interaction_id,
            number: i64::from(it.number),
            agent_id: &it.agent_id,
            phone_number: &it.phone_number,
            customer: &it.customer,
            direction: it.direction,
            start_us: about.time_us,
            expire_us: about.time_us.saturating_add(self.retention_us),
        };
        recordings::begin(tx, &beginning).await?;
        if !it.agent_id.is_empty() {
            heard(tx, about, &it.recording_id, &it.agent_id).await?;
        }
        Ok(())
    }

    async fn ended(&self, tx: &mut Tx, about: &About<'_>, recording_id: &str) -> Result<(), Failure> {
        let expire_us = about.time_us.saturating_add(self.retention_us);
        recordings::end(tx, about.tenant, recording_id, about.time_us, expire_us).await?;
        Ok(settle(tx, about.tenant, recording_id, about.time_us).await?)
    }

    /// Nothing is recorded of an interaction that is over.
    async fn interaction_ended(&self, tx: &mut Tx, about: &About<'_>) -> Result<(), Failure> {
        for recording_id in recordings::unended(tx, about.tenant, about.interaction_id).await? {
            self.ended(tx, about, &recording_id).await?;
        }
        Ok(())
    }
}

async fn heard(tx: &mut Tx, about: &About<'_>, recording_id: &str, agent_id: &str) -> Result<(), Failure> {
    let heard = Heard { recording_id: recording_id.to_owned(), agent_id: agent_id.to_owned() };
    Ok(manifest::add_agent(tx, about.tenant, about.interaction_id, &heard).await?)
}

async fn segment_started(tx: &mut Tx, about: &About<'_>, it: &RecordingSegmentStarted) -> Result<(), Failure> {
    let name = about.segment(&it.recording_id, &it.segment_id);
    segments::note(tx, &name).await?;
    segments::started(tx, &name, about.time_us).await?;
    for agent_id in &it.agent_ids {
        heard(tx, about, &it.recording_id, agent_id).await?;
    }
    Ok(settle(tx, about.tenant, &it.recording_id, about.time_us).await?)
}

async fn segment_ended(tx: &mut Tx, about: &About<'_>, it: &RecordingSegmentEnded) -> Result<(), Failure> {
    let name = about.segment(&it.recording_id, &it.segment_id);
    let times = (it.start_time.as_ref().map(time::us), it.end_time.as_ref().map(time::us));
    segments::note(tx, &name).await?;
    // One that had begun may have been torn and mended by the switch: its audio, or word that it is lost, is on its way.
    let never_comes = it.failed && it.start_time.is_none();
    segments::closed(tx, &name, times, never_comes).await?;
    Ok(settle(tx, about.tenant, &it.recording_id, about.time_us).await?)
}

async fn excluded(tx: &mut Tx, about: &About<'_>, it: RecordingExcluded) -> Result<(), Failure> {
    let end_us = it.end_time.as_ref().map_or(about.time_us, time::us);
    let exclusion = Exclusion {
        recording_id: it.recording_id,
        start_us: it.start_time.as_ref().map_or(end_us, time::us),
        end_us,
        reason: i64::from(reason(&it.reason) as i32),
    };
    Ok(manifest::add_exclusion(tx, about.tenant, &exclusion).await?)
}

/// A word that is newer than this program is kept as "not given": the stretch itself still counts.
fn reason(word: &str) -> Reason {
    match word {
        "on_hold" => Reason::OnHold,
        "paused" => Reason::Paused,
        "not_started" => Reason::NotStarted,
        "not_written" => Reason::NotWritten,
        "other_turn" => Reason::OtherTurn,
        _ => Reason::Unspecified,
    }
}
