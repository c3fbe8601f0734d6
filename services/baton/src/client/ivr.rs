//! `baton ivr`: what customers go through without an agent.

mod file;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use baton_api::ApiError;
use baton_api::common::v1::ivr_element::Element;
use baton_api::common::v1::ivr_transfer::To;
use baton_api::common::v1::{IvrBranch, IvrCollect, IvrElement, IvrTransfer};
use baton_api::error::ErrorReason;
use baton_api::routing::v1::routing_service_client::RoutingServiceClient;
use baton_api::routing::v1::{DeleteIvrFlowRequest, IvrFlow, ListIvrFlowsRequest, UpdateIvrFlowRequest};
use baton_runtime::auth::Role;
use baton_runtime::client::GrpcChannel;
use clap::{Args, Subcommand};
use prost_types::FieldMask;
use tonic::Status;

use super::event_text::Names;
use super::output::Column;
use super::refusal::{self, OrRefusal};
use super::resolve::{self, all_pages};
use super::session::ClientSession;
use super::word;

const FLOW: &str = "baton.routing.v1.IvrFlow";

#[derive(Debug, Subcommand)]
pub(crate) enum IvrCommand {
    /// List all IVR flows.
    #[command(visible_alias = "ls")]
    List,
    /// Show an IVR flow with its elements.
    Show(IvrArgs),
    /// Create an IVR flow from a file, or replace the one of this name as a whole.
    Set(IvrSetArgs),
    /// Delete an IVR flow; customers who are in it go through it to its end.
    #[command(visible_alias = "rm")]
    Delete(IvrArgs),
}

#[derive(Debug, Args)]
pub(crate) struct IvrArgs {
    /// Its name or id, the beginning of either, or the end of the id.
    #[arg(value_name = "FLOW")]
    name: String,
}

#[derive(Debug, Args)]
pub(crate) struct IvrSetArgs {
    /// Its name, or the id of one that is there.
    name: String,
    /// A TOML file with its elements, in order; docs/ivr.md says what can be in it.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(crate) async fn run(session: &ClientSession, command: IvrCommand) -> anyhow::Result<()> {
    match command {
        IvrCommand::List => list(session).await,
        IvrCommand::Show(it) => show(session, &it.name).await,
        IvrCommand::Set(args) => set(session, args).await,
        IvrCommand::Delete(it) => delete(session, &it.name).await,
    }
}

pub(super) async fn flows(channel: GrpcChannel) -> anyhow::Result<Vec<IvrFlow>> {
    let mut routing = RoutingServiceClient::new(channel);
    all_pages!(routing, list_ivr_flows, ListIvrFlowsRequest {}, ivr_flows)
}

async fn named(session: &ClientSession, name: &str) -> anyhow::Result<IvrFlow> {
    let known = flows(session.reader_channel()?).await?;
    let found = resolve::find_one("IVR flow", name, &known, |it| [it.ivr_flow_id.as_str(), it.name.as_str()])?;
    Ok(found.clone())
}

async fn list(session: &ClientSession) -> anyhow::Result<()> {
    let columns = [Column::always("name"), Column::id("id"), Column::always("elements"), Column::always("round trips")];
    session.out.list(FLOW, &flows(session.reader_channel()?).await?, &columns, |it| {
        let round_trip = if it.round_trip { "yes" } else { "no" };
        vec![it.name.clone(), it.ivr_flow_id.clone(), it.elements.len().to_string(), round_trip.to_owned()]
    })
}

async fn show(session: &ClientSession, name: &str) -> anyhow::Result<()> {
    let (flow, names) = (named(session, name).await?, resolve::names(session).await?);
    session.out.one(FLOW, &flow, |it| flow_text(it, &names))
}

async fn set(session: &ClientSession, args: IvrSetArgs) -> anyhow::Result<()> {
    let written = file::read(&args.file)?;
    let is_it = |it: &IvrFlow| it.ivr_flow_id == args.name || it.name.eq_ignore_ascii_case(&args.name);
    let existing = flows(session.reader_channel()?).await?.into_iter().find(is_it).unwrap_or_default();
    let name = if existing.name.is_empty() { args.name } else { existing.name };
    let round_trip = written.round_trip;
    let flow = IvrFlow { name, elements: written.elements(session).await?, round_trip, ..existing };
    let request = UpdateIvrFlowRequest {
        request_id: session.request_id(),
        allow_missing: flow.ivr_flow_id.is_empty(),
        ivr_flow: Some(flow),
        update_mask: Some(FieldMask { paths: vec!["*".to_owned()] }),
    };
    let mut routing = RoutingServiceClient::new(session.channel_for_role(Role::Admin)?);
    let updated = routing.update_ivr_flow(request).await.map_err(|status| refused(&args.file, &status))?;
    let flow = updated.into_inner().ivr_flow.context("the answer is empty")?;
    let names = resolve::names(session).await?;
    session.out.one(FLOW, &flow, |it| flow_text(it, &names))
}

/// What is wrong with the elements is said with the file that has them.
fn refused(file: &Path, status: &Status) -> anyhow::Error {
    let is_of_file = ApiError::from_status(status).is_some_and(|it| {
        it.reason == ErrorReason::FlowTransfersOn
            || it.fields.iter().any(|(field, _)| field.starts_with("ivr_flow.elements"))
    });
    let error = refusal::of(status);
    if is_of_file { error.context(file.display().to_string()) } else { error }
}

async fn delete(session: &ClientSession, name: &str) -> anyhow::Result<()> {
    let flow = named(session, name).await?;
    let request = DeleteIvrFlowRequest { request_id: session.request_id(), ivr_flow_id: flow.ivr_flow_id };
    let mut routing = RoutingServiceClient::new(session.channel_for_role(Role::Admin)?);
    let deleted = routing.delete_ivr_flow(request).await.or_refusal()?;
    let text = format!("The IVR flow {} is gone.", flow.name);
    session.out.one("baton.routing.v1.DeleteIvrFlowResponse", &deleted, |_| text)
}

fn flow_text(flow: &IvrFlow, names: &Names) -> String {
    let mut text = format!("IVR flow {}, id {}\n", flow.name, flow.ivr_flow_id);
    for (number, element) in flow.elements.iter().enumerate() {
        let label = if element.label.is_empty() { String::new() } else { format!("{}: ", element.label) };
        let _ = writeln!(text, "  {:>2}  {label}{}", number + 1, element_text(element, names));
    }
    text.push_str(if flow.round_trip {
        "  It gives calls back: round trips may go to it.\n"
    } else {
        "  Not for round trips.\n"
    });
    text
}

fn element_text(element: &IvrElement, names: &Names) -> String {
    match &element.element {
        Some(Element::Play(it)) => format!("play {}", word::one_line(&it.announcement)),
        Some(Element::Collect(it)) => collect_text(it),
        Some(Element::SetData(it)) => format!("set {} to {}", word::one_line(&it.key), word::one_line(&it.value)),
        Some(Element::Branch(it)) => branch_text(it),
        Some(Element::Transfer(IvrTransfer { to: None })) => "transfer to the next step of the call flow".to_owned(),
        Some(Element::Transfer(IvrTransfer { to: Some(to) })) => match to {
            To::AgentId(id) => format!("transfer to {}", names.of(id)),
            To::TeamId(id) => format!("transfer to team {}", names.of(id)),
            To::Mailbox(mailbox) => format!("transfer to voicemail {mailbox}"),
        },
        Some(Element::Return(_)) => "give the customer back".to_owned(),
        Some(Element::End(_)) => "end".to_owned(),
        None => "-".to_owned(),
    }
}

fn collect_text(it: &IvrCollect) -> String {
    let digits = if it.min_digits == it.max_digits {
        it.max_digits.to_string()
    } else {
        format!("{} to {}", it.min_digits, it.max_digits)
    };
    let secret = if it.sensitive { ", sensitive" } else { "" };
    format!("collect {}: {digits} digits, {} tries{secret}", word::one_line(&it.key), it.tries)
}

fn branch_text(it: &IvrBranch) -> String {
    let cases = it.cases.iter().map(|case| format!("{} to {}", word::or_dash(&case.value), case.goto));
    let otherwise = if it.otherwise.is_empty() { "go on".to_owned() } else { format!("to {}", it.otherwise) };
    format!("by {}: {}, otherwise {otherwise}", word::one_line(&it.key), cases.collect::<Vec<_>>().join(", "))
}
