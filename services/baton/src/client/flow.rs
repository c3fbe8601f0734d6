//! `baton flow`.

mod step;

use std::fmt::Write as _;

use anyhow::Context as _;
use baton_api::routing::v1::routing_service_client::RoutingServiceClient;
use baton_api::routing::v1::{CallFlow, DeleteCallFlowRequest, ListCallFlowsRequest, PutCallFlowRequest};
use baton_runtime::auth::Role;
use clap::{Args, Subcommand};

use self::step::StepText;
use super::refusal::Told;
use super::resolve;
use super::session::Session;
use super::story::Names;

const FLOW: &str = "baton.routing.v1.CallFlow";

/// What can be done with call flows.
#[derive(Debug, Subcommand)]
pub(crate) enum FlowCommand {
    /// List all call flows with their steps.
    List,
    /// Show a call flow, with its times.
    Show(TheFlow),
    /// Create a call flow, or replace the one of this name as a whole.
    Set(SetArgs),
    /// Delete a call flow that no number uses.
    Delete(TheFlow),
}

/// Which call flow.
#[derive(Debug, Args)]
pub(crate) struct TheFlow {
    /// Its name or id.
    #[arg(value_name = "FLOW")]
    name: String,
}

/// What `flow set` takes.
#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    /// Its name, or the id of one that is there.
    name: String,
    /// What happens next: ring-agent:NAME[,RING], ring-team:NAME[,RING[,WAIT]], voicemail:BOX or disconnect; how long one phone
    /// rings and how long is waited in all, for example 20s,5m. In this order, up to 20.
    #[arg(long = "step", value_name = "STEP", required = true)]
    steps: Vec<StepText>,
    /// A transfer that is not answered goes to the next step, and not to the recipient's voicemail.
    #[arg(long)]
    skip_voicemail: bool,
}

/// Runs it.
pub(crate) async fn run(session: &Session, command: FlowCommand) -> anyhow::Result<()> {
    match command {
        FlowCommand::List => list(session).await,
        FlowCommand::Show(it) => show(session, &it.name).await,
        FlowCommand::Set(args) => set(session, args).await,
        FlowCommand::Delete(it) => delete(session, &it.name).await,
    }
}

/// All call flows.
pub(super) async fn flows(session: &Session) -> anyhow::Result<Vec<CallFlow>> {
    let mut routing = RoutingServiceClient::new(session.reading()?);
    let request = ListCallFlowsRequest { page_size: resolve::PAGE, page_token: String::new() };
    Ok(routing.list_call_flows(request).await.told()?.call_flows)
}

/// The call flow of this name or id.
pub(super) async fn named(session: &Session, name: &str) -> anyhow::Result<CallFlow> {
    let found = one(flows(session).await?, name)?;
    found.with_context(|| format!("there is no call flow {name:?}; `baton flow list` lists them"))
}

/// Names need not be unique.
fn one(flows: Vec<CallFlow>, name: &str) -> anyhow::Result<Option<CallFlow>> {
    let mut found = flows.into_iter().filter(|it| it.call_flow_id == name || it.name.eq_ignore_ascii_case(name));
    let first = found.next();
    if let (Some(first), Some(second)) = (&first, found.next()) {
        let (first, second) = (&first.call_flow_id, &second.call_flow_id);
        anyhow::bail!("there are several call flows {name:?}; give the id of one: {first} or {second}");
    }
    Ok(first)
}

async fn list(session: &Session) -> anyhow::Result<()> {
    let (flows, names) = (flows(session).await?, resolve::names(session).await?);
    session.out.list(FLOW, &flows, &["name", "steps", "id"], |it| {
        let steps: Vec<_> = it.steps.iter().map(|it| step::words(it, &names)).collect();
        vec![it.name.clone(), steps.join(", then "), it.call_flow_id.clone()]
    })
}

async fn show(session: &Session, name: &str) -> anyhow::Result<()> {
    let (flow, names) = (named(session, name).await?, resolve::names(session).await?);
    session.out.one(FLOW, &flow, |it| whole(it, &names))
}

async fn set(session: &Session, args: SetArgs) -> anyhow::Result<()> {
    let there = one(flows(session).await?, &args.name)?.unwrap_or_default();
    let name = if there.name.is_empty() { args.name } else { there.name };
    let mut steps = Vec::with_capacity(args.steps.len());
    for text in args.steps {
        steps.push(text.step(session).await?);
    }
    let flow = CallFlow { call_flow_id: there.call_flow_id, name, steps, skip_voicemail: args.skip_voicemail };
    let request = PutCallFlowRequest { request_id: session.request_id(), call_flow: Some(flow) };
    let mut routing = RoutingServiceClient::new(session.of_role(Role::Admin)?);
    let flow = routing.put_call_flow(request).await.told()?.call_flow.context("the answer is empty")?;
    let names = resolve::names(session).await?;
    session.out.one(FLOW, &flow, |it| whole(it, &names))
}

async fn delete(session: &Session, name: &str) -> anyhow::Result<()> {
    let flow = named(session, name).await?;
    let request = DeleteCallFlowRequest { request_id: session.request_id(), call_flow_id: flow.call_flow_id };
    let mut routing = RoutingServiceClient::new(session.of_role(Role::Admin)?);
    let deleted = routing.delete_call_flow(request).await.told()?;
    let text = format!("The call flow {} is gone.", flow.name);
    session.out.one("baton.routing.v1.DeleteCallFlowResponse", &deleted, |_| text)
}

fn whole(flow: &CallFlow, names: &Names) -> String {
    let mut text = format!("Call flow {}, id {}\n", flow.name, flow.call_flow_id);
    for (number, step) in flow.steps.iter().enumerate() {
        let _ = writeln!(text, "  {:>2}  {}", number + 1, step::words_with_times(step, names));
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
    fn a_flow_is_found_by_its_name_or_id_and_one_of_two_is_not_guessed() {
        let flow = |id: &str, name: &str| CallFlow {
            call_flow_id: id.to_owned(),
            name: name.to_owned(),
            ..CallFlow::default()
        };
        let flows = || vec![flow("1", "Main"), flow("2", "Night"), flow("3", "night")];
        assert_eq!(one(flows(), "main").unwrap().unwrap().call_flow_id, "1");
        assert_eq!(one(flows(), "3").unwrap().unwrap().call_flow_id, "3");
        assert_eq!(one(flows(), "Day").unwrap(), None);
        assert!(one(flows(), "Night").unwrap_err().to_string().contains("2 or 3"));
    }
}
