//! What is left of the play: what each phone heard, the recordings, the events, and how everybody stands afterwards.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use baton_api::event::v1::event_service_client::EventServiceClient;
use baton_api::event::v1::{Event, ListEventsRequest};
use baton_api::presence::v1::presence_service_client::PresenceServiceClient;
use baton_api::presence::v1::{GetPresenceRequest, Presence};
use baton_api::recording::v1::recording_service_client::RecordingServiceClient;
use baton_api::recording::v1::{ListRecordingsRequest, Recording, recording};
use baton_api::simulator::v1::simulator_service_client::SimulatorServiceClient;
use baton_api::simulator::v1::{ListHeardRequest, ListPhonesRequest};
use baton_api::transfer::v1::Interaction;
use baton_audio::wav;
use baton_runtime::auth::Role;

use super::script::{INITIATOR, Played, RECIPIENT};
use super::stage::DemoContext;
use crate::client::refusal::OrRefusal as _;
use crate::client::{phone, recording as client};
use crate::up::seed;

/// Each of the two agents' turns is one recording.
const RECORDINGS: usize = 2;
const PAGE_SIZE: i32 = 500;

/// Everything that is checked.
pub(super) struct Evidence {
    pub(super) call: Interaction,
    pub(super) customer_heard: Vec<i16>,
    pub(super) initiator_heard: Vec<i16>,
    pub(super) recipient_heard: Vec<i16>,
    pub(super) recordings: Vec<(Recording, Vec<i16>)>,
    pub(super) presences: Vec<(&'static str, Presence)>,
    pub(super) events: Vec<Event>,
    pub(super) live_legs: usize,
    pub(super) files: Vec<PathBuf>,
}

/// Gathers it, and saves the sound into the folder.
pub(super) async fn gather(stage: &DemoContext, played: &Played, out: &Path) -> anyhow::Result<Evidence> {
    let mut files = Vec::new();
    let recordings = recordings(stage, played, out, &mut files).await?;
    let presences = released(stage).await?;
    let customer_heard = heard(stage, &played.customer_leg, "customer", out, &mut files).await?;
    let initiator_heard = agent_heard(stage, INITIATOR, out, &mut files).await?;
    let recipient_heard = agent_heard(stage, RECIPIENT, out, &mut files).await?;
    let phones = SimulatorServiceClient::new(stage.role(Role::Simulator)?);
    let phones = phones.clone().list_phones(ListPhonesRequest::default()).await.or_refusal()?.phones;
    Ok(Evidence {
        call: stage.call(&played.interaction_id).await?,
        customer_heard,
        initiator_heard,
        recipient_heard,
        recordings,
        presences,
        events: events(stage).await?,
        live_legs: phones.iter().map(|it| it.legs.len()).sum(),
        files,
    })
}

/// Waits until the audio is stored and checked; what is not by then is a failed check, not an error.
async fn recordings(
    stage: &DemoContext,
    played: &Played,
    out: &Path,
    files: &mut Vec<PathBuf>,
) -> anyhow::Result<Vec<(Recording, Vec<i16>)>> {
    let stored = stage.until("the recordings are stored", async || {
        let recordings = list_recordings(stage, played).await?;
        let is_done = |it: &Recording| it.state() != recording::State::Recording;
        Ok(Some(recordings).filter(|all| all.len() >= RECORDINGS && all.iter().all(is_done)))
    });
    let found = match stored.await {
        Ok(found) => found,
        Err(_) => list_recordings(stage, played).await?,
    };
    let mut recordings = Vec::with_capacity(found.len());
    for recording in found {
        let file = out.join(format!("recording-{}.wav", recording.ordinal));
        client::download(stage.role(Role::Supervisor)?, &recording.recording_id, "", &file).await?;
        let wav = tokio::fs::read(&file).await.with_context(|| file.display().to_string())?;
        recordings.push((recording, wav::samples(&wav)?));
        files.push(file);
    }
    Ok(recordings)
}

async fn list_recordings(stage: &DemoContext, played: &Played) -> anyhow::Result<Vec<Recording>> {
    let interaction_id = played.interaction_id.clone();
    let request = ListRecordingsRequest { interaction_id, ..ListRecordingsRequest::default() };
    let mut client = RecordingServiceClient::new(stage.role(Role::Supervisor)?);
    let mut recordings = client.list_recordings(request).await.or_refusal()?.recordings;
    recordings.sort_by_key(|it| it.ordinal);
    Ok(recordings)
}

/// Waits until nobody is claimed any more.
async fn released(stage: &DemoContext) -> anyhow::Result<Vec<(&'static str, Presence)>> {
    let all_free = stage.until("all claims are released", async || {
        let presences = presences(stage).await?;
        Ok(Some(presences).filter(|all| all.iter().all(|(_, it)| it.is_free())))
    });
    match all_free.await {
        Ok(free) => Ok(free),
        Err(_) => presences(stage).await,
    }
}

async fn presences(stage: &DemoContext) -> anyhow::Result<Vec<(&'static str, Presence)>> {
    let mut client = PresenceServiceClient::new(stage.role(Role::Supervisor)?);
    let mut presences = Vec::new();
    for name in [INITIATOR, RECIPIENT] {
        let request = GetPresenceRequest { agent_id: seed::agent_id(name) };
        let presence = client.get_presence(request).await.or_refusal()?.presence;
        presences.push((name, presence.context("the answer is empty")?));
    }
    Ok(presences)
}

async fn agent_heard(
    stage: &DemoContext,
    name: &str,
    out: &Path,
    files: &mut Vec<PathBuf>,
) -> anyhow::Result<Vec<i16>> {
    let mut simulator = SimulatorServiceClient::new(stage.role(Role::Simulator)?);
    let request = ListHeardRequest { address: seed::phone(name) };
    let legs = simulator.list_heard(request).await.or_refusal()?.heard;
    let last = legs.last().with_context(|| format!("nothing is kept of what {name} heard"))?;
    heard(stage, &last.leg_id, &seed::phone(name), out, files).await
}

async fn heard(
    stage: &DemoContext,
    leg_id: &str,
    who: &str,
    out: &Path,
    files: &mut Vec<PathBuf>,
) -> anyhow::Result<Vec<i16>> {
    let path = out.join(format!("heard-by-{who}.wav"));
    let file = phone::save(stage.role(Role::Simulator)?, leg_id, &path).await?;
    files.push(path);
    Ok(wav::samples(&file)?)
}

/// All events of the tenant, from the first.
async fn events(stage: &DemoContext) -> anyhow::Result<Vec<Event>> {
    let mut client = EventServiceClient::new(stage.role(Role::Supervisor)?);
    let mut events = Vec::new();
    let mut request = ListEventsRequest { page_size: PAGE_SIZE, ..Default::default() };
    loop {
        let page = client.list_events(request.clone()).await.or_refusal()?;
        events.extend(page.events.into_iter().filter_map(|it| it.event));
        if page.next_page_token.is_empty() {
            return Ok(events);
        }
        request.page_token = page.next_page_token;
    }
}
