//! `baton voicemail`.

use std::path::{Path, PathBuf};

use baton_api::common::v1::Customer;
use baton_api::recording::v1::voicemail_service_client::VoicemailServiceClient;
use baton_api::recording::v1::{DeleteMessageRequest, DownloadMessageRequest, ListMessagesRequest, VoicemailMessage};
use baton_runtime::auth::Role;
use clap::{Args, Subcommand};
use prost_types::Timestamp;
use tokio_stream::StreamExt as _;

use super::destination::{self, Destination};
use super::event_text::Names;
use super::output::Column;
use super::refusal::OrRefusal;
use super::session::ClientSession;
use super::{flow, resolve, watch, word};
use crate::failure::KnownFailure;

const MESSAGE: &str = "baton.recording.v1.VoicemailMessage";

#[derive(Debug, Subcommand)]
pub(crate) enum VoicemailCommand {
    /// List messages, the newest first: an agent's own (--as agent:Ada), or those of every box. The switch has died while one that
    /// is torn was left: its end may be missing.
    #[command(visible_alias = "ls")]
    List {
        /// Only those in this box: an agent's name or id, or the name of a call flow's box.
        #[arg(long = "box", value_name = "BOX")]
        mailbox: Option<String>,
        /// Only those that have not been heard.
        #[arg(long)]
        unheard: bool,
        /// Only those that were left at this time (2026-11-28T09:00:00Z) or later, or so long ago at most (10m, 2h).
        #[arg(long, value_name = "TIME", value_parser = word::moment_or_age)]
        since: Option<Timestamp>,
        #[command(flatten)]
        watch: watch::WatchArgs,
    },
    /// Save a message as a WAV file. It counts as heard then, unless you look after another agent's box.
    Download(VoicemailDownloadArgs),
    /// Delete a message.
    #[command(visible_alias = "rm")]
    Delete {
        /// Its id, or the beginning or the end of it.
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct VoicemailDownloadArgs {
    /// Its id, or the beginning or the end of it.
    id: String,
    /// The file, which is replaced if it is there, or - for standard output [default: the message's id with .wav].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) async fn run(session: &ClientSession, command: VoicemailCommand) -> anyhow::Result<()> {
    match command {
        VoicemailCommand::List { mailbox, unheard, since, watch } => {
            list(session, mailbox.as_deref(), (unheard, since), &watch).await
        }
        VoicemailCommand::Download(args) => save(session, args).await,
        VoicemailCommand::Delete { id } => delete(session, &id).await,
    }
}

const COLUMNS: [Column; 6] = [
    Column::id("message"),
    Column::state("state"),
    Column::always("box"),
    Column::always("length"),
    Column::if_room("customer"),
    Column::if_room(word::SINCE),
];

async fn list(
    session: &ClientSession,
    mailbox: Option<&str>,
    (unheard_only, since): (bool, Option<Timestamp>),
    args: &watch::WatchArgs,
) -> anyhow::Result<()> {
    let mailbox = match mailbox {
        Some(name) => box_of(session, name).await?,
        None => String::new(),
    };
    watch::list(session, args, async || {
        let mut messages = messages(session, &mailbox, unheard_only).await?;
        messages.retain(|it| word::is_since(it.start_time.as_ref(), since.as_ref()));
        let names = resolve::names(session).await?;
        session.out.listed(MESSAGE, &messages, &COLUMNS, |it| row(it, &names))
    })
    .await
}

/// An agent's box is named by their id; any other name is a call flow's box. A box that no call flow has, and in which nothing is, is a
/// typo.
async fn box_of(session: &ClientSession, name: &str) -> anyhow::Result<String> {
    let no_agent = match resolve::agent(session, name).await {
        Ok(agent) => return Ok(agent.agent_id),
        Err(error) if error.is::<KnownFailure>() => error,
        Err(error) => return Err(error),
    };
    if flow::has_box(session, name).await == Some(false) && messages(session, name, false).await?.is_empty() {
        return Err(no_agent.context(format!("no call flow has a box {name:?}, and nothing is in one")));
    }
    Ok(name.to_owned())
}

fn row(message: &VoicemailMessage, names: &Names) -> Vec<String> {
    vec![
        message.message_id.clone(),
        state(message),
        names.of_box(&message.mailbox),
        word::seconds(message.duration_ms),
        word::or_dash(Customer::address_of(message.customer.as_ref())),
        word::time(message.start_time.as_ref()),
    ]
}

fn state(message: &VoicemailMessage) -> String {
    let state = if message.heard_time.is_some() { "heard" } else { "new" };
    if message.torn { format!("{state}, torn") } else { state.to_owned() }
}

/// How many messages in an agent's box nobody has heard; 0 where that may not be known.
pub(super) async fn unheard(session: &ClientSession, agent_id: &str) -> usize {
    messages(session, agent_id, true).await.map_or(0, |it| it.len())
}

async fn messages(session: &ClientSession, mailbox: &str, unheard_only: bool) -> anyhow::Result<Vec<VoicemailMessage>> {
    let mut client = VoicemailServiceClient::new(session.reader_channel()?);
    resolve::all_pages!(client, list_messages, ListMessagesRequest { mailbox, unheard_only }, messages)
}

/// By id, shortened id or the beginning of one.
pub(super) async fn message(session: &ClientSession, id: &str) -> anyhow::Result<VoicemailMessage> {
    let known = messages(session, "", false).await?;
    Ok(resolve::find_one("message", id, &known, |it| [it.message_id.as_str(), it.message_id.as_str()])?.clone())
}

async fn save(session: &ClientSession, args: VoicemailDownloadArgs) -> anyhow::Result<()> {
    let to_stdout = destination::is_stdout(session, args.out.as_deref())?;
    let VoicemailMessage { message_id, heard_time, .. } = message(session, &args.id).await?;
    let file = args.out.unwrap_or_else(|| format!("{message_id}.wav").into());
    let bytes = match download(session, &message_id, &file).await {
        Err(error) if heard_time.is_none() => return Err(not_saved(session, error, &message_id).await),
        saved => saved?,
    };
    if to_stdout {
        return Ok(());
    }
    let value = serde_json::json!({ "message_id": message_id, "file": file, "size_bytes": bytes });
    session.out.value(&value, &format!("{} ({bytes} bytes)", file.display()))
}

/// Saves the audio, and returns how many bytes; the file appears only when it is complete.
async fn download(session: &ClientSession, message_id: &str, file: &Path) -> anyhow::Result<u64> {
    let destination = Destination::open(file).await?;
    let request = DownloadMessageRequest { message_id: message_id.to_owned() };
    let mut client = VoicemailServiceClient::new(session.reader_channel()?);
    let chunks = client.download_message(request).await.or_refusal()?;
    destination.fill(chunks.map(|part| part.map(|it| it.chunk))).await
}

/// The error, and what has become of a message that was new: the server counts it as heard when it begins to send it.
async fn not_saved(session: &ClientSession, error: anyhow::Error, message_id: &str) -> anyhow::Error {
    let counts = match message(session, message_id).await {
        Ok(it) if it.heard_time.is_none() => "is new as before",
        Ok(_) => "counts as heard now",
        Err(_) => "may count as heard now",
    };
    error.context(format!(
        "the message was not saved, and {counts}: `baton voicemail download {}` fetches it again",
        word::short(message_id)
    ))
}

async fn delete(session: &ClientSession, id: &str) -> anyhow::Result<()> {
    let message_id = message(session, id).await?.message_id;
    let request = DeleteMessageRequest { request_id: session.request_id(), message_id };
    let mut client = VoicemailServiceClient::new(session.channel_for_role(Role::Supervisor)?);
    let deleted = client.delete_message(request).await.or_refusal()?;
    session.out.one("baton.recording.v1.DeleteMessageResponse", &deleted, |_| "The message is deleted.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_message_says_so() {
        let torn = VoicemailMessage { torn: true, ..VoicemailMessage::default() };
        let heard = VoicemailMessage { heard_time: Some(Timestamp::default()), ..torn.clone() };
        assert_eq!((state(&torn).as_str(), state(&heard).as_str()), ("new, torn", "heard, torn"));
        assert_eq!(state(&VoicemailMessage::default()), "new");
    }
}
