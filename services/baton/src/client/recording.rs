//! `baton recording`.

mod accesses;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use baton_api::common::v1::{Customer, RecordingMode, RecordingState};
use baton_api::recording::v1::recording_service_client::RecordingServiceClient;
use baton_api::recording::v1::{
    DeleteRecordingRequest, DownloadRecordingRequest, GetNumberSettingsRequest, GetRecordingRequest,
    NumberRecordingSettings, PauseRecordingRequest, Recording, ResumeRecordingRequest, StartRecordingRequest,
    StopRecordingRequest, UpdateNumberSettingsRequest,
};
use baton_api::routing::v1::GetNumberRequest;
use baton_api::routing::v1::routing_service_client::RoutingServiceClient;
use baton_runtime::auth::Role;
use baton_runtime::client::GrpcChannel;
use clap::{Args, Subcommand, ValueEnum};
use prost_types::Timestamp;
use tokio_stream::StreamExt as _;
use tonic::{Code, Status};

use super::destination::{self, Destination};
use super::event_text::Names;
use super::output::Column;
use super::refusal::{self, OrRefusal};
use super::session::ClientSession;
use super::{call, output, resolve, watch, word};

const RECORDING: &str = "baton.recording.v1.Recording";
const SETTINGS: &str = "baton.recording.v1.NumberRecordingSettings";
/// Characters of a checksum that are shown.
const SHOWN_SUM: usize = 18;

#[derive(Debug, Subcommand)]
pub(crate) enum RecordingSubcommand {
    /// List recordings: those of the newest call first.
    #[command(visible_alias = "ls")]
    List {
        /// Only those of this call: its id, or the beginning or the last group of it.
        #[arg(long)]
        call: Option<String>,
        /// Only those that began at this time (2026-11-28T09:00:00Z) or later, or so long ago at most (10m, 2h).
        #[arg(long, value_name = "TIME", value_parser = word::moment_or_age)]
        since: Option<Timestamp>,
        #[command(flatten)]
        watch: watch::WatchArgs,
    },
    /// Show a recording with its segments and what was left out.
    Show {
        /// Its id, or the beginning or the last group of it.
        id: String,
    },
    /// Save a recording as a WAV file.
    Download(RecordingDownloadArgs),
    /// List who has downloaded audio, the last one first; for admins.
    Accesses(accesses::AccessesArgs),
    /// Start recording a call by hand.
    Start(RecordingCallArgs),
    /// Stop what was started by hand.
    Stop(RecordingCallArgs),
    /// Pause; answers when the switch has confirmed.
    Pause(RecordingCallArgs),
    /// Go on after a pause.
    Resume(RecordingCallArgs),
    /// Show or set what is recorded on a number.
    Settings {
        /// The number, for example +3225550100.
        number: String,
        /// What to record from now on.
        #[arg(long, value_enum)]
        set: Option<RecordingModeArg>,
    },
    /// Delete a recording's audio.
    #[command(visible_alias = "rm")]
    Delete {
        /// Its id, or the beginning or the last group of it.
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RecordingDownloadArgs {
    /// Its id, or the beginning or the last group of it.
    id: String,
    /// One segment of it, by its id [default: the whole, joined].
    #[arg(long, default_value = "", hide_default_value = true)]
    segment: String,
    /// The file, which is replaced if it is there, or - for standard output [default: the recording's id with .wav].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RecordingCallArgs {
    /// The call: its id, or the beginning or the last group of it [default: the only live one].
    #[arg(long = "call", value_name = "ID")]
    id: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum RecordingModeArg {
    /// Every call.
    All,
    /// Calls that customers placed.
    Incoming,
    /// Calls that agents placed.
    Outgoing,
    /// What an agent starts by hand.
    Manual,
}

impl From<RecordingModeArg> for RecordingMode {
    fn from(mode: RecordingModeArg) -> Self {
        match mode {
            RecordingModeArg::All => Self::All,
            RecordingModeArg::Incoming => Self::Incoming,
            RecordingModeArg::Outgoing => Self::Outgoing,
            RecordingModeArg::Manual => Self::Manual,
        }
    }
}

pub(crate) async fn run(session: &ClientSession, command: RecordingSubcommand) -> anyhow::Result<()> {
    match command {
        RecordingSubcommand::List { call, since, watch } => list(session, call.as_deref(), since, &watch).await,
        RecordingSubcommand::Show { id } => show(session, &id).await,
        RecordingSubcommand::Download(args) => save(session, args).await,
        RecordingSubcommand::Accesses(args) => accesses::list(session, args).await,
        RecordingSubcommand::Start(args) => control(session, args, RecordingAction::Start).await,
        RecordingSubcommand::Stop(args) => control(session, args, RecordingAction::Stop).await,
        RecordingSubcommand::Pause(args) => control(session, args, RecordingAction::Pause).await,
        RecordingSubcommand::Resume(args) => control(session, args, RecordingAction::Resume).await,
        RecordingSubcommand::Settings { number, set } => settings(session, number, set).await,
        RecordingSubcommand::Delete { id } => delete(session, &id).await,
    }
}

const COLUMNS: [Column; 6] = [
    Column::id("recording"),
    Column::state("state"),
    Column::always("agent"),
    Column::always("length"),
    Column::if_room("customer"),
    Column::if_room(word::SINCE),
];

async fn list(
    session: &ClientSession,
    call: Option<&str>,
    since: Option<Timestamp>,
    args: &watch::WatchArgs,
) -> anyhow::Result<()> {
    let interaction_id = match call {
        Some(id) => resolve::interaction(session, Some(id)).await?.interaction_id,
        None => String::new(),
    };
    watch::list(session, args, async || {
        let mut recordings = resolve::recordings(session, &interaction_id).await?;
        recordings.retain(|it| word::is_since(it.start_time.as_ref(), since.as_ref()));
        let names = resolve::names(session).await?;
        session.out.listed(RECORDING, &recordings, &COLUMNS, |it| row(it, &names))
    })
    .await
}

fn row(recording: &Recording, names: &Names) -> Vec<String> {
    let length_ms = recording.segments.iter().map(|it| it.duration_ms).sum();
    vec![
        recording.recording_id.clone(),
        word::recording_state(recording.state),
        names.of(&recording.agent_id),
        word::seconds(length_ms),
        word::or_dash(Customer::address_of(recording.customer.as_ref())),
        word::time(recording.start_time.as_ref()),
    ]
}

async fn show(session: &ClientSession, id: &str) -> anyhow::Result<()> {
    let recording_id = resolve::recording(session, id).await?.recording_id;
    let mut client = RecordingServiceClient::new(session.reader_channel()?);
    let recording = client.get_recording(GetRecordingRequest { recording_id }).await.or_refusal()?.recording;
    let names = resolve::names(session).await?;
    session.out.one(RECORDING, &recording.context("the answer is empty")?, |it| recording_text(it, &names))
}

fn recording_text(recording: &Recording, names: &Names) -> String {
    let others: Vec<_> = recording.other_agent_ids.iter().map(|id| names.of(id)).collect();
    let mut lines = vec![
        format!("Recording {}: {}", recording.recording_id, word::recording_state(recording.state)),
        format!(
            "  customer {} with {}",
            word::or_dash(Customer::address_of(recording.customer.as_ref())),
            names.of(&recording.agent_id)
        ),
    ];
    if !others.is_empty() {
        lines.push(format!("  also heard: {}", word::listed(&others)));
    }
    for it in &recording.segments {
        let note = match (it.lost, it.torn) {
            (true, _) => ", lost",
            (false, true) => ", torn and mended",
            (false, false) => "",
        };
        let from = word::exact_time(it.start_time.as_ref());
        let (length, sum) = (word::seconds(it.duration_ms), it.sha256.get(..SHOWN_SUM).unwrap_or(&it.sha256));
        lines.push(format!("  segment  {from} UTC, {length} {}{note} sha256 {sum}…", it.segment_id));
    }
    for it in &recording.excluded {
        let (from, to) = (word::exact_time(it.start_time.as_ref()), word::exact_time(it.end_time.as_ref()));
        lines.push(format!("  left out {from} to {to} UTC: {}", word::exclusion_reason(it.reason)));
    }
    lines.join("\n")
}

async fn save(session: &ClientSession, args: RecordingDownloadArgs) -> anyhow::Result<()> {
    let to_stdout = destination::is_stdout(session, args.out.as_deref())?;
    let recording = resolve::recording(session, &args.id).await?;
    let file = args.out.unwrap_or_else(|| format!("{}.wav", recording.recording_id).into());
    let channel = session.reader_channel()?;
    let bytes = download(channel, &recording.recording_id, &args.segment, &file).await?;
    if to_stdout {
        return Ok(());
    }
    let value = serde_json::json!({ "recording_id": recording.recording_id, "file": file, "size_bytes": bytes });
    session.out.value(&value, &format!("{} ({bytes} bytes)", file.display()))
}

/// Saves the audio, and returns how many bytes; the file appears only when it is complete.
pub(crate) async fn download(
    channel: GrpcChannel,
    recording_id: &str,
    segment_id: &str,
    file: &Path,
) -> anyhow::Result<u64> {
    let request = DownloadRecordingRequest { recording_id: recording_id.to_owned(), segment_id: segment_id.to_owned() };
    let destination = Destination::open(file).await?;
    let chunks = RecordingServiceClient::new(channel).download_recording(request).await.or_refusal()?;
    destination.fill(chunks.map(|part| part.map(|it| it.chunk))).await
}

#[derive(Debug, Clone, Copy)]
enum RecordingAction {
    Start,
    Stop,
    Pause,
    Resume,
}

async fn control(session: &ClientSession, args: RecordingCallArgs, action: RecordingAction) -> anyhow::Result<()> {
    let (call, channel) = call::acting_in(session, args.id.as_deref()).await?;
    let done = send(channel, session.request_id(), call.interaction_id, action).await;
    let (recording, text) = done.map_err(|status| refusal::of(&status))?;
    let recording = recording.context("the answer has no recording")?;
    session.out.one("baton.common.v1.RecordingState", &recording, |_| text.to_owned())
}

async fn send(
    channel: GrpcChannel,
    request_id: String,
    interaction_id: String,
    action: RecordingAction,
) -> Result<(Option<RecordingState>, &'static str), Status> {
    let mut client = RecordingServiceClient::new(channel);
    Ok(match action {
        RecordingAction::Start => {
            let done = client.start_recording(StartRecordingRequest { request_id, interaction_id }).await?;
            (done.into_inner().recording, "Recording.")
        }
        RecordingAction::Stop => {
            let done = client.stop_recording(StopRecordingRequest { request_id, interaction_id }).await?;
            (done.into_inner().recording, "Recording has stopped.")
        }
        RecordingAction::Pause => {
            let done = client.pause_recording(PauseRecordingRequest { request_id, interaction_id }).await?;
            (done.into_inner().recording, "Paused: nothing is being written, as the switch confirmed.")
        }
        RecordingAction::Resume => {
            let done = client.resume_recording(ResumeRecordingRequest { request_id, interaction_id }).await?;
            (done.into_inner().recording, "Recording goes on.")
        }
    })
}

async fn settings(session: &ClientSession, number: String, set: Option<RecordingModeArg>) -> anyhow::Result<()> {
    let settings = match set {
        None => {
            let mut client = RecordingServiceClient::new(session.reader_channel()?);
            client.get_number_settings(GetNumberSettingsRequest { number }).await.or_refusal()?.settings
        }
        Some(mode) => {
            let mut client = RecordingServiceClient::new(session.channel_for_role(Role::Admin)?);
            let request = set_request(session.request_id(), number, mode.into());
            client.update_number_settings(request).await.or_refusal()?.settings
        }
    };
    let settings = settings.context("the answer is empty")?;
    session.out.one(SETTINGS, &settings, |it| format!("{}: {}", it.number, word::recording_mode(it.mode)))?;
    mention_unknown(session, settings.number).await
}

/// Settings may be there before their number is: whoever mistyped it learns so.
async fn mention_unknown(session: &ClientSession, number: String) -> anyhow::Result<()> {
    let mut client = RoutingServiceClient::new(session.reader_channel()?);
    let found = client.get_number(GetNumberRequest { number: number.clone() }).await;
    if found.is_err_and(|refused| refused.code() == Code::NotFound) {
        output::diagnostic(&format!(
            "The tenant has no number {number}: the settings count when it has (`baton number set {number}`)."
        ));
    }
    Ok(())
}

/// Gives no etag: the mode that is given here is not decided on the one before.
fn set_request(request_id: String, number: String, mode: RecordingMode) -> UpdateNumberSettingsRequest {
    let settings = NumberRecordingSettings { number, mode: mode.into(), ..NumberRecordingSettings::default() };
    UpdateNumberSettingsRequest { request_id, settings: Some(settings), update_mask: None }
}

async fn delete(session: &ClientSession, id: &str) -> anyhow::Result<()> {
    let recording_id = resolve::recording(session, id).await?.recording_id;
    let request = DeleteRecordingRequest { request_id: session.request_id(), recording_id };
    let mut client = RecordingServiceClient::new(session.channel_for_role(Role::Supervisor)?);
    let deleted = client.delete_recording(request).await.or_refusal()?;
    let text = "The audio is deleted; what is known of it stays.";
    session.out.one("baton.recording.v1.DeleteRecordingResponse", &deleted, |_| text.to_owned())
}
