//! `baton number`.

use anyhow::Context as _;
use baton_api::routing::v1::routing_service_client::RoutingServiceClient;
use baton_api::routing::v1::{
    DeleteDialRuleRequest, DeleteExternalNumberRequest, DeleteNumberRequest, DialRule, ExternalNumber,
    ListDialRulesRequest, ListExternalNumbersRequest, ListNumbersRequest, Number, UpdateDialRuleRequest,
    UpdateExternalNumberRequest, UpdateNumberRequest,
};
use baton_runtime::auth::Role;
use baton_runtime::client::GrpcChannel;
use clap::{Args, Subcommand};
use prost_types::FieldMask;

use super::output::Column;
use super::refusal::OrRefusal;
use super::resolve::{all_pages, find_one};
use super::session::ClientSession;
use super::{flow, word};
use crate::failure::KnownFailure;

const NUMBER: &str = "baton.routing.v1.Number";
const RULE: &str = "baton.routing.v1.DialRule";
const EXTERNAL: &str = "baton.routing.v1.ExternalNumber";

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
    /// Numbers outside to which agents can transfer.
    #[command(subcommand)]
    External(ExternalCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ExternalCommand {
    /// List them.
    #[command(visible_alias = "ls")]
    List,
    /// Create one, or change the one with this name. It can be dialled as far as `baton number allow` has it.
    Set {
        /// Its display name.
        name: String,
        /// The number, for example +3225550100.
        number: String,
        /// Whoever is called sees the customer's number. The policy says which kinds of transfer go to such a number.
        #[arg(long)]
        forwarding: bool,
    },
    /// Delete one; calls to it go on.
    #[command(visible_alias = "rm")]
    Delete {
        /// Its name or id.
        name: String,
    },
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
        NumberCommand::External(it) => external(session, it).await,
    }
}

/// The tenant's first number, for a command that names none; read on the lookup channel.
pub(super) async fn first(session: &ClientSession) -> anyhow::Result<String> {
    let found =
        numbers(session.lookup_channel()?).await.context("finding the tenant's first number; name one instead")?;
    let none = || KnownFailure::not_found("the tenant has no number; `baton number set` makes one");
    Ok(found.into_iter().next().ok_or_else(none)?.number)
}

/// Whether this is a number of the tenant's with a call flow. For who may not list numbers, it is not.
pub(super) async fn has_flow(session: &ClientSession, number: &str) -> anyhow::Result<bool> {
    let numbers = numbers(session.lookup_channel()?).await.unwrap_or_default();
    Ok(numbers.iter().any(|it| it.number == number && !it.call_flow_id.is_empty()))
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

async fn external(session: &ClientSession, command: ExternalCommand) -> anyhow::Result<()> {
    match command {
        ExternalCommand::List => external_list(session).await,
        ExternalCommand::Set { name, number, forwarding } => external_set(session, name, number, forwarding).await,
        ExternalCommand::Delete { name } => external_delete(session, &name).await,
    }
}

pub(super) async fn external_numbers(channel: GrpcChannel) -> anyhow::Result<Vec<ExternalNumber>> {
    let mut routing = RoutingServiceClient::new(channel);
    all_pages!(routing, list_external_numbers, ListExternalNumbersRequest {}, external_numbers)
}

async fn external_list(session: &ClientSession) -> anyhow::Result<()> {
    let all = external_numbers(session.reader_channel()?).await?;
    let columns = [Column::id("external number"), Column::always("number"), Column::always("forwarding")];
    session.out.list(EXTERNAL, &all, &columns, |it| {
        let forwarding = if it.user_number_forwarding { "yes" } else { "no" };
        vec![word::one_line(&it.name), it.number.clone(), forwarding.to_owned()]
    })
}

/// One with this very name is changed; names are unique.
async fn external_set(
    session: &ClientSession,
    name: String,
    number: String,
    user_number_forwarding: bool,
) -> anyhow::Result<()> {
    let known = external_numbers(session.channel_for_role(Role::Admin)?).await?;
    let same = known.into_iter().find(|it| it.name == name);
    let external_number_id = same.map(|it| it.external_number_id).unwrap_or_default();
    let external_number =
        Some(ExternalNumber { external_number_id, name, number, user_number_forwarding, ..ExternalNumber::default() });
    let request = UpdateExternalNumberRequest {
        request_id: session.request_id(),
        external_number,
        update_mask: Some(FieldMask { paths: vec!["*".to_owned()] }),
        allow_missing: true,
    };
    let mut routing = RoutingServiceClient::new(session.channel_for_role(Role::Admin)?);
    let answer = routing.update_external_number(request).await.or_refusal()?;
    let own = answer.external_number.context("the answer is empty")?;
    session.out.one(EXTERNAL, &own, |it| format!("{} is {}.", word::one_line(&it.name), it.number))
}

async fn external_delete(session: &ClientSession, name: &str) -> anyhow::Result<()> {
    let known = external_numbers(session.channel_for_role(Role::Admin)?).await?;
    let found = find_one("external number", name, &known, |it| [it.external_number_id.as_str(), it.name.as_str()])?;
    let external_number_id = found.external_number_id.clone();
    let request = DeleteExternalNumberRequest { request_id: session.request_id(), external_number_id };
    let mut routing = RoutingServiceClient::new(session.channel_for_role(Role::Admin)?);
    let deleted = routing.delete_external_number(request).await.or_refusal()?;
    let gone = |_: &_| format!("The external number {} is gone.", word::one_line(&found.name));
    session.out.one("baton.routing.v1.DeleteExternalNumberResponse", &deleted, gone)
}
