//! `baton recording accesses`.

use baton_api::recording::v1::recording_service_client::RecordingServiceClient;
use baton_api::recording::v1::{ListAccessesRequest, RecordingAccess};
use baton_runtime::auth::Role;
use clap::Args;
use prost_types::Timestamp;

use crate::client::event_text::Names;
use crate::client::output::Column;
use crate::client::refusal::OrRefusal as _;
use crate::client::session::ClientSession;
use crate::client::{resolve, view, voicemail, watch, word};

const ACCESS: &str = "baton.recording.v1.RecordingAccess";
const COLUMNS: [Column; 4] =
    [Column::id("recording"), Column::always("segment"), Column::always("who"), Column::always("at (utc)")];

#[derive(Debug, Args)]
pub(crate) struct AccessesArgs {
    /// Only those of this recording: its id, or the beginning or the last group of it.
    #[arg(long, value_name = "ID")]
    recording: Option<String>,
    /// Only those of this voicemail message: its id, or the beginning or the end of it.
    #[arg(long, value_name = "ID", conflicts_with = "recording")]
    message: Option<String>,
    /// Only those at this time (2026-11-28T09:00:00Z) or later, or so long ago at most (10m, 2h).
    #[arg(long, value_name = "TIME", value_parser = word::moment_or_age)]
    since: Option<Timestamp>,
    #[command(flatten)]
    watch: watch::WatchArgs,
}

pub(super) async fn list(session: &ClientSession, args: AccessesArgs) -> anyhow::Result<()> {
    let recording_id = match (&args.recording, &args.message) {
        (Some(id), _) => resolve::recording(session, id).await?.recording_id,
        (None, Some(id)) => voicemail::message(session, id).await?.message_id,
        (None, None) => String::new(),
    };
    watch::list(session, &args.watch, async || {
        let mut accesses = read(session, &recording_id).await?;
        accesses.retain(|it| word::is_since(it.time.as_ref(), args.since.as_ref()));
        let names = resolve::names(session).await?;
        session.out.listed(ACCESS, &accesses, &COLUMNS, |it| row(it, &names))
    })
    .await
}

async fn read(session: &ClientSession, recording_id: &str) -> anyhow::Result<Vec<RecordingAccess>> {
    let mut client = RecordingServiceClient::new(session.channel_for_role(Role::Admin)?);
    resolve::all_pages!(client, list_accesses, ListAccessesRequest { recording_id }, accesses)
}

fn row(access: &RecordingAccess, names: &Names) -> Vec<String> {
    let segment = if access.segment_id.is_empty() { "all" } else { &access.segment_id };
    vec![
        access.recording_id.clone(),
        segment.to_owned(),
        view::actor(access.actor.as_ref(), names),
        word::time(access.time.as_ref()),
    ]
}
