//! `baton flow`.

mod step;

use std::fmt::Write as _;

use anyhow::Context as _;
use baton_api::routing::v1::call_flow_step::Step;
use baton_api::routing::v1::routing_service_client::RoutingServiceClient;
use baton_api::routing::v1::{CallFlow, DeleteCallFlowRequest, ListCallFlowsRequest, UpdateCallFlowRequest};
use baton_runtime::auth::Role;
use clap::{Args, Subcommand};
use prost_types::FieldMask;

use self::step::StepText;
use super::event_text::Names;
use super::output::Column;
use super::refusal::OrRefusal;
use super::resolve::{self, all_pages};
use super::session::ClientSession;
use crate::failure::UsageError;

const FLOW: &str = "baton.routing.v1.CallFlow";

#[derive(Debug, Subcommand)]
pub(crate) enum FlowCommand {
    /// List all call flows with their steps.
    #[command(visible_alias = "ls")]
    List,
    /// Show a call flow, with its times.
    Show(FlowArgs),
    /// Create a call flow, or replace the one of this name as a whole.
    Set(FlowSetArgs),
    /// Delete a call flow that no number uses.
    #[command(visible_alias = "rm")]
    Delete(FlowArgs),
}

#[derive(Debug, Args)]
pub(crate) struct FlowArgs {
    /// Its name or id, the beginning of either, or the end of the id.
    #[arg(value_name = "FLOW")]
    name: String,
}

#[derive(Debug, Args)]
pub(crate) struct FlowSetArgs {
    /// Its name, or the id of one that is there.
    name: String,
    /// What happens next: ring-agent:NAME[,RING], ring-team:NAME[,RING[,WAIT]], queue:NAME, voicemail:BOX or disconnect; how long one phone
    /// rings and how long is waited in all, for example 20s,5m. In this order, up to 20.
    #[arg(long = "step", value_name = "STEP", required = true)]
    steps: Vec<StepText>,
    /// A transfer that is not answered goes to the next step, and not to the recipient's voicemail.
    #[arg(long)]
    skip_voicemail: bool,
}

pub(crate) async fn run(session: &ClientSession, command: FlowCommand) -> anyhow::Result<()> {
    match command {
        FlowCommand::List => list(session).await,
        FlowCommand::Show(it) => show(session, &it.name).await,
        FlowCommand::Set(args) => set(session, args).await,
        FlowCommand::Delete(it) => delete(session, &it.name).await,
    }
}

pub(super) async fn flows(session: &ClientSession) -> anyhow::Result<Vec<CallFlow>> {
    let mut routing = RoutingServiceClient::new(session.reader_channel()?);
    all_pages!(routing, list_call_flows, ListCallFlowsRequest {}, call_flows)
}

pub(super) async fn named(session: &ClientSession, name: &str) -> anyhow::Result<CallFlow> {
    let known = flows(session).await?;
    if let Some(found) = find_one(known.clone(), name)? {
        return Ok(found);
    }
    let found = resolve::find_one("call flow", name, &known, |it| [it.call_flow_id.as_str(), it.name.as_str()])?;
    Ok(found.clone())
}

/// Whether a call flow has this box; `None` where that may not be known.
pub(super) async fn has_box(session: &ClientSession, name: &str) -> Option<bool> {
    let flows = flows(session).await.ok()?;
    let steps = flows.iter().flat_map(|it| &it.steps).filter_map(|it| it.step.as_ref());
    Some(steps.into_iter().any(|it| matches!(it, Step::Voicemail(it) if it.mailbox == name)))
}

/// By name or id. Names need not be unique: an error if two fit.
fn find_one(flows: Vec<CallFlow>, name: &str) -> anyhow::Result<Option<CallFlow>> {
    let mut found = flows.into_iter().filter(|it| it.call_flow_id == name || it.name.eq_ignore_ascii_case(name));
    let first = found.next();
    if let (Some(first), Some(second)) = (&first, found.next()) {
        let (first, second) = (&first.call_flow_id, &second.call_flow_id);
        let text = format!("there are several call flows {name:?}; give the id of one: {first} or {second}");
        return Err(UsageError::new(text).into());
    }
    Ok(first)
}

async fn list(session: &ClientSession) -> anyhow::Result<()> {
    let (flows, names) = (flows(session).await?, resolve::names(session).await?);
    session.out.list(FLOW, &flows, &[Column::always("name"), Column::id("id"), Column::always("steps")], |it| {
        let steps: Vec<_> = it.steps.iter().map(|step| step::words(step, &names, &it.missing_ids)).collect();
        vec![it.name.clone(), it.call_flow_id.clone(), steps.join(", then ")]
    })
}

async fn show(session: &ClientSession, name: &str) -> anyhow::Result<()> {
    let (flow, names) = (named(session, name).await?, resolve::names(session).await?);
    session.out.one(FLOW, &flow, |it| flow_text(it, &names))
}

async fn set(session: &ClientSession, args: FlowSetArgs) -> anyhow::Result<()> {
    let existing = find_one(flows(session).await?, &args.name)?.unwrap_or_default();
    let name = if existing.name.is_empty() { args.name } else { existing.name };
    let mut steps = Vec::with_capacity(args.steps.len());
    for text in args.steps {
        steps.push(text.resolved(session).await?);
    }
    let flow = CallFlow { name, steps, skip_voicemail: args.skip_voicemail, ..existing };
    let request = set_request(session.request_id(), flow);
    let mut routing = RoutingServiceClient::new(session.channel_for_role(Role::Admin)?);
    let flow = routing.update_call_flow(request).await.or_refusal()?.call_flow.context("the answer is empty")?;
    let names = resolve::names(session).await?;
    session.out.one(FLOW, &flow, |it| flow_text(it, &names))
}

/// A flow without an id is a new one. One that was read has the etag of then: what somebody else has changed since is not undone.
fn set_request(request_id: String, flow: CallFlow) -> UpdateCallFlowRequest {
    let allow_missing = flow.call_flow_id.is_empty();
    let update_mask = Some(FieldMask { paths: vec!["*".to_owned()] });
    UpdateCallFlowRequest { request_id, call_flow: Some(flow), update_mask, allow_missing }
}

async fn delete(session: &ClientSession, name: &str) -> anyhow::Result<()> {
    let flow = named(session, name).await?;
    let request = DeleteCallFlowRequest { request_id: session.request_id(), call_flow_id: flow.call_flow_id };
    let mut routing = RoutingServiceClient::new(session.channel_for_role(Role::Admin)?);
    let deleted = routing.delete_call_flow(request).await.or_refusal()?;
    let text = format!("The call flow {} is gone.", flow.name);
    session.out.one("baton.routing.v1.DeleteCallFlowResponse", &deleted, |_| text)
}

fn flow_text(flow: &CallFlow, names: &Names) -> String {
    let mut text = format!("Call flow {}, id {}\n", flow.name, flow.call_flow_id);
    for (number, step) in flow.steps.iter().enumerate() {
        let _ = writeln!(text, "  {:>2}  {}", number + 1, step::words_with_times(step, names, &flow.missing_ids));
    }
    if flow.skip_voicemail {
        text.push_str("  A transfer that is not answered goes to the next step, not to voicemail.\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_flow_that_is_not_there_is_created_and_the_other_is_changed_as_it_was_read() {
        let read = CallFlow { call_flow_id: "1".to_owned(), etag: "e".to_owned(), ..CallFlow::default() };
        let request = set_request("r".to_owned(), read.clone());
        assert_eq!((request.call_flow, request.allow_missing), (Some(read), false));
        assert!(set_request("r".to_owned(), CallFlow::default()).allow_missing);
    }

    #[test]
    fn a_flow_is_found_by_name_or_id_and_an_ambiguous_name_is_refused() {
        let flow = |id: &str, name: &str| CallFlow {
            call_flow_id: id.to_owned(),
            name: name.to_owned(),
            ..CallFlow::default()
        };
        let flows = || vec![flow("1", "Main"), flow("2", "Night"), flow("3", "night")];
        assert_eq!(find_one(flows(), "main").unwrap().unwrap().call_flow_id, "1");
        assert_eq!(find_one(flows(), "3").unwrap().unwrap().call_flow_id, "3");
        assert_eq!(find_one(flows(), "Day").unwrap(), None);
        assert!(find_one(flows(), "Night").unwrap_err().to_string().contains("2 or 3"));
    }
}
