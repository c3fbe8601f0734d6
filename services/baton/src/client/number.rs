//! `baton number`.

use anyhow::Context as _;
use baton_api::routing::v1::routing_service_client::RoutingServiceClient;
use baton_api::routing::v1::{
    DeleteDialRuleRequest, DeleteNumberRequest, DialRule, ListDialRulesRequest, ListNumbersRequest, Number,
    UpdateDialRuleRequest, UpdateNumberRequest,
};
use baton_runtime::auth::Role;
use baton_runtime::client::GrpcChannel;
use clap::{Args, Subcommand};
use prost_types::FieldMask;

use super::output::Column;
use super::refusal::OrRefusal;
use super::resolve::all_pages;
use super::session::ClientSession;
use super::{flow, word};
use crate::failure::KnownFailure;

const NUMBER: &str = "baton.routing.v1.Number";
const RULE: &str = "baton.routing.v1.DialRule";

#[derive(Debug, Subcommand)]
pub(crate) enum NumberCommand {
    /// List all numbers.
    #[command(visible_alias = "ls")]
    List,
    /// Create a number, or give it another call flow.
    Set {
        /// The number, for example +3225550100.
        number: String,
        /// The call flow: name or id. Without one, calls are disconnected.
        #[arg(long)]
        flow: Option<String>,
    },
    /// Delete a number.
    #[command(visible_alias = "rm")]
    Delete {
        /// The number.
        number: String,
    },
    /// Allow agents to call numbers outside. Nothing outside is dialled that is not allowed.
    Allow(PrefixArgs),
    /// Allow it no more; calls that are being made go on.
    Disallow(PrefixArgs),
    /// List which numbers outside agents may call.
    Allowed,
}

#[derive(Debug, Args)]
pub(crate) struct PrefixArgs {
    /// How they begin, for example +32.
    prefix: String,
}

pub(crate) async fn run(session: &ClientSession, command: NumberCommand) -> anyhow::Result<()> {
    match command {
        NumberCommand::List => list(session).await,
        NumberCommand::Set { number, flow } => set(session, number, flow).await,
        NumberCommand::Delete { number } => delete(session, number).await,
        NumberCommand::Allow(it) => allow(session, it.prefix).await,
        NumberCommand::Disallow(it) => disallow(session, it.prefix).await,
        NumberCommand::Allowed => allowed(session).await,
    }
}

/// The tenant's first number, for a command that names none; read on the lookup channel.
pub(super) async fn first(session: &ClientSession) -> anyhow::Result<String> {
    let found =
        numbers(session.lookup_channel()?).await.context("finding the tenant's first number; name one instead")?;
    let none = || KnownFailure::not_found("the tenant has no number; `baton number set` makes one");
    Ok(found.into_iter().next().ok_or_else(none)?.number)
}

async fn numbers(channel: GrpcChannel) -> anyhow::Result<Vec<Number>> {
    let mut routing = RoutingServiceClient::new(channel);
    all_pages!(routing, list_numbers, ListNumbersRequest {}, numbers)
}

async fn list(session: &ClientSession) -> anyhow::Result<()> {
    let numbers = numbers(session.reader_channel()?).await?;
    let flows = flow::flows(session).await?;
    session.out.list(NUMBER, &numbers, &[Column::id("number"), Column::always("call flow")], |it| {
        let flow = flows.iter().find(|flow| flow.call_flow_id == it.call_flow_id);
        vec![
            it.number.clone(),
            word::or_dash(flow.map_or_else(|| word::short(&it.call_flow_id).to_owned(), |it| it.name.clone())),
        ]
    })
}

async fn set(session: &ClientSession, number: String, flow: Option<String>) -> anyhow::Result<()> {
    let call_flow_id = match &flow {
        Some(name) => flow::named(session, name).await?.call_flow_id,
        None => String::new(),
    };
    let request = set_request(session.request_id(), number, call_flow_id);
    let mut routing = RoutingServiceClient::new(session.channel_for_role(Role::Admin)?);
    let number = routing.update_number(request).await.or_refusal()?.number.context("the answer is empty")?;
    session.out.one(NUMBER, &number, |it| format!("{} is set.", it.number))
}

/// Gives no etag: the call flow that is given here is not decided on the one before. It is named, because an empty one counts too.
fn set_request(request_id: String, number: String, call_flow_id: String) -> UpdateNumberRequest {
    let number = Some(Number { number, call_flow_id, ..Number::default() });
    let update_mask = Some(FieldMask { paths: vec!["call_flow_id".to_owned()] });
    UpdateNumberRequest { request_id, number, update_mask, allow_missing: true }
}

async fn delete(session: &ClientSession, number: String) -> anyhow::Result<()> {
    let request = DeleteNumberRequest { request_id: session.request_id(), number: number.clone() };
    let mut routing = RoutingServiceClient::new(session.channel_for_role(Role::Admin)?);
    let deleted = routing.delete_number(request).await.or_refusal()?;
    session.out.one("baton.routing.v1.DeleteNumberResponse", &deleted, |_| format!("The number {number} is gone."))
}

async fn allow(session: &ClientSession, prefix: String) -> anyhow::Result<()> {
    let rule = Some(DialRule { prefix, ..DialRule::default() });
    let request =
        UpdateDialRuleRequest { request_id: session.request_id(), rule, update_mask: None, allow_missing: true };
    let mut routing = RoutingServiceClient::new(session.channel_for_role(Role::Admin)?);
    let rule = routing.update_dial_rule(request).await.or_refusal()?.rule.context("the answer is empty")?;
    session.out.one(RULE, &rule, |it| format!("Agents may call numbers that begin with {}.", it.prefix))
}

async fn disallow(session: &ClientSession, prefix: String) -> anyhow::Result<()> {
    let request = DeleteDialRuleRequest { request_id: session.request_id(), prefix: prefix.clone() };
    let mut routing = RoutingServiceClient::new(session.channel_for_role(Role::Admin)?);
    let deleted = routing.delete_dial_rule(request).await.or_refusal()?;
    session.out.one("baton.routing.v1.DeleteDialRuleResponse", &deleted, |_| format!("The rule {prefix} is gone."))
}

async fn allowed(session: &ClientSession) -> anyhow::Result<()> {
    let mut routing = RoutingServiceClient::new(session.reader_channel()?);
    let rules = all_pages!(routing, list_dial_rules, ListDialRulesRequest {}, rules)?;
    session.out.list(RULE, &rules, &[Column::id("numbers that begin with")], |it| vec![it.prefix.clone()])
}
