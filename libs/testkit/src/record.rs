//! Reads events and recordings.

use std::collections::BTreeMap;

use anyhow::Context as _;
use baton_api::event::v1::event_service_client::EventServiceClient;
use baton_api::event::v1::{Event, EventFilter, ListEventsRequest, LoggedEvent, list_events_request};
use baton_api::recording::v1 as recording;
use baton_api::recording::v1::recording::State;
use baton_runtime::auth::Role;

use crate::sound::Sound;
use crate::tenant::{Call, TestTenant};
use crate::wait::{BOUND, eventually};

const PAGE: i32 = 500;

/// Whether the events of each service are numbered 1, 2, 3… (E2).
pub fn is_whole(events: &[Event]) -> bool {
    let mut last = BTreeMap::new();
    events.iter().all(|event| {
        let last = last.entry((&event.source, &event.subject)).or_insert(0);
        *last += 1;
        event.sequence == *last
    })
}

impl TestTenant {
    /// The events about an interaction, in order. Fails if those of a service are not numbered 1, 2, 3… (E2).
    pub async fn events(&self, call: &Call) -> anyhow::Result<Vec<Event>> {
        let events = self.events_about(&format!("interaction/{}", call.interaction_id)).await?;
        anyhow::ensure!(is_whole(&events), "an event is missing, or out of order: {events:#?}");
        Ok(events)
    }

    /// The types of the events about an interaction, in order.
    pub async fn event_types(&self, call: &Call) -> anyhow::Result<Vec<String>> {
        Ok(self.events(call).await?.into_iter().map(|it| it.name().to_owned()).collect())
    }

    /// Waits for an event of this type about an interaction; all events about it.
    pub async fn until_event(&self, call: &Call, event_type: &str) -> anyhow::Result<Vec<Event>> {
        eventually(&format!("the event {event_type}"), BOUND, async || {
            let events = self.events(call).await.map_err(|error| format!("{error:#}"))?;
            if events.iter().any(|it| it.name() == event_type) {
                return Ok(events);
            }
            Err(events.into_iter().map(|it| it.name().to_owned()).collect::<Vec<_>>().join(", "))
        })
        .await
    }

    /// The events about a subject, for example `agent/0192…`.
    pub async fn events_about(&self, subject: &str) -> anyhow::Result<Vec<Event>> {
        let filter = Some(EventFilter { r#type: String::new(), subject: subject.to_owned() });
        let mut request = ListEventsRequest { filter, page_size: PAGE, ..Default::default() };
        let mut events = Vec::new();
        loop {
            let page = self.event_log()?.list_events(request.clone()).await?.into_inner();
            events.extend(page.events.into_iter().filter_map(|it| it.event));
            if page.next_page_token.is_empty() {
                return Ok(events);
            }
            request.page_token = page.next_page_token;
        }
    }

    /// All events of the tenant after this cursor, from the first one on without it, as a supervisor sees them.
    pub async fn events_after(&self, cursor: Option<String>) -> anyhow::Result<Vec<LoggedEvent>> {
        let mut log = EventServiceClient::new(self.channel("supervisor", Role::Supervisor)?);
        let start = cursor.map(list_events_request::Start::Cursor);
        let mut request = ListEventsRequest { start, page_size: PAGE, ..Default::default() };
        let mut events = Vec::new();
        loop {
            let page = log.list_events(request.clone()).await?.into_inner();
            events.extend(page.events);
            if page.next_page_token.is_empty() {
                return Ok(events);
            }
            request.page_token = page.next_page_token;
        }
    }

    /// The recordings of an interaction, by number.
    pub async fn recordings_of(&self, call: &Call) -> anyhow::Result<Vec<recording::Recording>> {
        let request = recording::ListRecordingsRequest {
            interaction_id: call.interaction_id.clone(),
            page_size: 500,
            page_token: String::new(),
        };
        Ok(self.recordings()?.list_recordings(request).await?.into_inner().recordings)
    }

    /// Waits until there are so many recordings of an interaction, and the audio of all is stored (or known to be lost).
    pub async fn until_recorded(&self, call: &Call, count: usize) -> anyhow::Result<Vec<recording::Recording>> {
        eventually(&format!("{count} recordings are stored"), BOUND, async || {
            let seen = self.recordings_of(call).await.map_err(|error| format!("{error:#}"))?;
            let is_complete = seen.iter().all(|it| it.state() != State::Recording);
            if is_complete && seen.len() == count { Ok(seen) } else { Err(format!("{seen:#?}")) }
        })
        .await
    }

    /// The sound of a whole recording: its segments one after the other, so times within it are not those of the day.
    pub async fn sound_of(&self, recording: &recording::Recording) -> anyhow::Result<Sound> {
        let file = self.download(&recording.recording_id, "").await?;
        Sound::of_wav(&file, 0)
    }

    /// The sound of each segment of a recording, each from the time when it was recorded.
    pub async fn segments_of(&self, recording: &recording::Recording) -> anyhow::Result<Vec<Sound>> {
        let mut sounds = Vec::new();
        for segment in recording.segments.iter().filter(|it| !it.lost) {
            let start = segment.start_time.context("a stored segment has no start")?;
            let file = self.download(&recording.recording_id, &segment.segment_id).await?;
            let started_at_us = start.seconds * 1_000_000 + i64::from(start.nanos) / 1_000;
            sounds.push(Sound::of_wav(&file, started_at_us)?);
        }
        Ok(sounds)
    }

    /// The WAV file of a recording, or of one segment.
    pub async fn download(&self, recording_id: &str, segment_id: &str) -> anyhow::Result<Vec<u8>> {
        let request = recording::DownloadRecordingRequest {
            recording_id: recording_id.to_owned(),
            segment_id: segment_id.to_owned(),
        };
        let context = || format!("downloading {recording_id} {segment_id}");
        let mut stream = self.recordings()?.download_recording(request).await.with_context(context)?.into_inner();
        let mut file = Vec::new();
        while let Some(message) = stream.message().await.with_context(context)? {
            file.extend_from_slice(&message.chunk);
        }
        Ok(file)
    }
}
