//! `baton transfer`.

use anyhow::Context as _;
use baton_api::common::v1::{ExternalTarget, Target, TransferKind, target};
use baton_api::error::ErrorReason;
use baton_api::presence::v1::{PickerTarget, QueueLoad, TargetFilter, TransferTarget};
use baton_api::transfer::v1::transfer_service_client::TransferServiceClient;
use baton_api::transfer::v1::{
    CancelTransferRequest, CompleteTransferRequest, DeclineTransferRequest, GetTransferOptionsRequest,
    GetTransferOptionsResponse, GetTransferRequest, ListTransferTargetsRequest, ListTransfersRequest, OutsideOption,
    StartTransferRequest, SwapTransferRequest, Transfer, TransferOption,
};
use baton_runtime::auth::Role;
use baton_runtime::client::GrpcChannel;
use clap::{Args, Subcommand, ValueEnum};
use prost_types::Timestamp;

use super::call::{self, CallOption};
use super::event_text::Names;
use super::output::Column;
use super::refusal::{self, OrRefusal};
use super::session::ClientSession;
use super::{agent, ivr, number, queue, resolve, view, watch, word};
use crate::failure::{KnownFailure, UsageError};

const TRANSFER: &str = "baton.transfer.v1.Transfer";

#[derive(Debug, Subcommand)]
pub(crate) enum TransferCommand {
    /// Hand the customer over to an agent, a team, a queue or a number outside, or send them through an IVR flow.
    Start(TransferStartArgs),
    /// Show what can be chosen when the call is handed over: kinds, outcomes, and what was chosen last.
    Options(TransferCallArgs),
    /// List to whom the call can be handed over: the last choice first, then whom the policy recommends.
    Targets(TransferTargetsArgs),
    /// Hand over now: the recipient has the customer, the initiator is released.
    Complete(TransferCallArgs),
    /// In a consult, go from the recipient to the customer, or back: whoever is not spoken to hears music.
    Swap(TransferCallArgs),
    /// Take the open transfer back.
    Cancel(TransferCallArgs),
    /// Decline what rings at the agent named with --as, or waits until they are free.
    Decline(TransferCallArgs),
    /// List transfers, newest first.
    #[command(visible_alias = "ls")]
    List {
        /// Only those that are open.
        #[arg(long)]
        open: bool,
        /// Only those that began at this time (2026-11-28T09:00:00Z) or later, or so long ago at most (10m, 2h).
        #[arg(long, value_name = "TIME", value_parser = word::moment_or_age)]
        since: Option<Timestamp>,
        #[command(flatten)]
        watch: watch::WatchArgs,
    },
    /// Show a transfer.
    Show {
        /// Its id, the beginning or the end of it, or the call's: then the latest of that call.
        id: String,
    },
}

/// Which of the ways to say to whom, one to a line: in one line they are wider than a terminal.
const START_USAGE: &str = "baton transfer start [OPTIONS] --to <TARGET>
       baton transfer start [OPTIONS] --external <NAME>
       baton transfer start [OPTIONS] --number <NUMBER>
       baton transfer start [OPTIONS] --flow <FLOW>";

#[derive(Debug, Args)]
#[command(override_usage = START_USAGE)]
pub(crate) struct TransferStartArgs {
    #[command(flatten)]
    call: CallOption,
    #[command(flatten)]
    to: TransferToArgs,
    /// How.
    #[arg(long, value_enum, default_value = "warm")]
    kind: TransferKindArg,
    /// Shown to the recipient.
    #[arg(long, default_value = "", hide_default_value = true)]
    message: String,
    /// What it is for: one of the outcomes that the policy lists.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "NAME")]
    outcome: String,
}

/// To whom: exactly one of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct TransferToArgs {
    /// To whom: an agent's, a team's or a queue's name or id.
    #[arg(long, value_name = "TARGET")]
    to: Option<String>,
    /// To whom outside: an external number's name or id; `baton transfer targets` lists them.
    #[arg(long, value_name = "NAME")]
    external: Option<String>,
    /// To whom outside: a number, for example +3225550100.
    #[arg(long, value_name = "NUMBER")]
    number: Option<String>,
    /// Through which IVR flow: its name or id.
    #[arg(long, value_name = "FLOW")]
    flow: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct TransferCallArgs {
    #[command(flatten)]
    call: CallOption,
}

#[derive(Debug, Args)]
pub(crate) struct TransferTargetsArgs {
    #[command(flatten)]
    call: CallOption,
    /// How it is to be handed over: who can be chosen depends on it.
    #[arg(long, value_enum, default_value = "warm")]
    kind: TransferKindArg,
    #[command(flatten)]
    filter: agent::TargetFilterArgs,
    #[command(flatten)]
    watch: watch::WatchArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TransferKindArg {
    /// The initiator is released at once.
    Cold,
    /// The initiator is released when the recipient answers.
    OnAnswer,
    /// The initiator stays until somebody hands over: the agents talk in private first, or the recipient waits.
    Warm,
    /// The customer goes through an IVR flow (--flow) while the initiator waits, and comes back to them.
    RoundTrip,
}

impl From<TransferKindArg> for TransferKind {
    fn from(kind: TransferKindArg) -> Self {
        match kind {
            TransferKindArg::Cold => Self::Cold,
            TransferKindArg::OnAnswer => Self::OnAnswer,
            TransferKindArg::Warm => Self::Warm,
            TransferKindArg::RoundTrip => Self::RoundTrip,
        }
    }
}

pub(crate) async fn run(session: &ClientSession, command: TransferCommand) -> anyhow::Result<()> {
    match command {
        TransferCommand::Start(args) => start(session, args).await,
        TransferCommand::Options(it) => options(session, it.call.id.as_deref()).await,
        TransferCommand::Targets(args) => targets(session, args).await,
        TransferCommand::Complete(it) => complete(session, it.call.id.as_deref()).await,
        TransferCommand::Swap(it) => swap(session, it.call.id.as_deref()).await,
        TransferCommand::Cancel(it) => cancel(session, it.call.id.as_deref()).await,
        TransferCommand::Decline(it) => decline(session, it.call.id.as_deref()).await,
        TransferCommand::List { open, since, watch } => list(session, open, since, &watch).await,
        TransferCommand::Show { id } => show(session, &id).await,
    }
}

async fn start(session: &ClientSession, args: TransferStartArgs) -> anyhow::Result<()> {
    let target = match (&args.to.to, &args.to.number) {
        (Some(name), _) => Some(resolve::target(session, name).await?),
        (None, Some(number)) => Some(typed(number)),
        (None, None) => None,
    };
    let (call, channel) = call::acting_in(session, args.call.id.as_deref()).await?;
    let kind = TransferKind::from(args.kind);
    let shown = ShownTargets { channel: channel.clone(), interaction_id: &call.interaction_id, kind };
    let target = match (target, &args.to.external, &args.to.flow) {
        (None, Some(name), _) => outside(session, &shown, name).await?,
        (None, None, Some(name)) => flow(session, &shown, name).await?,
        (target, ..) => target.unwrap_or_default(),
    };
    let request = StartTransferRequest {
        request_id: session.request_id(),
        interaction_id: call.interaction_id,
        kind: kind.into(),
        target: Some(target),
        message: args.message,
        outcome: args.outcome,
        ..Default::default()
    };
    let started = TransferServiceClient::new(channel).start_transfer(request).await;
    let started = started.map_err(|status| refusal::of_start(&status, kind))?.into_inner();
    call::print_changed(session, &call.primary_agent_id, started.interaction).await
}

/// A number that is typed in; people write it with separators.
fn typed(number: &str) -> Target {
    let number = number.chars().filter(|it| !" -./()".contains(*it)).collect();
    Target { target: Some(target::Target::External(ExternalTarget { number, ..ExternalTarget::default() })) }
}

/// An external number, by its name or id. Whether the kind goes to it, the service says.
async fn outside(session: &ClientSession, shown: &ShownTargets<'_>, name: &str) -> anyhow::Result<Target> {
    let id = |it| if let target::Target::External(own) = it { Some(own.external_number_id) } else { None };
    let known = match number::external_numbers(session.lookup_channel()?).await {
        Ok(all) => all.into_iter().map(|it| (it.external_number_id, it.name)).collect(),
        Err(_) => shown.named(id).await?,
    };
    let (id, _) = resolve::find_one("external number", name, &known, |(id, name)| [id.as_str(), name.as_str()])?;
    let own = ExternalTarget { external_number_id: id.clone(), ..ExternalTarget::default() };
    Ok(Target { target: Some(target::Target::External(own)) })
}

/// An IVR flow, by its name or id. Whether the kind goes to it, the service says.
async fn flow(session: &ClientSession, shown: &ShownTargets<'_>, name: &str) -> anyhow::Result<Target> {
    let id = |it| if let target::Target::IvrFlowId(id) = it { Some(id) } else { None };
    let known = match ivr::flows(session.lookup_channel()?).await {
        Ok(all) => all.into_iter().map(|it| (it.ivr_flow_id, it.name)).collect(),
        Err(_) => shown.named(id).await?,
    };
    let (id, _) = resolve::find_one("IVR flow", name, &known, |(id, name)| [id.as_str(), name.as_str()])?;
    Ok(Target { target: Some(target::Target::IvrFlowId(id.clone())) })
}

/// What an agent may be shown who may not list what the tenant has.
struct ShownTargets<'a> {
    channel: GrpcChannel,
    interaction_id: &'a str,
    kind: TransferKind,
}

impl ShownTargets<'_> {
    /// Ids and names. Some kinds leave out what a cold transfer has, and the service is to say that they do not go there.
    async fn named(&self, id: impl Fn(target::Target) -> Option<String>) -> anyhow::Result<Vec<(String, String)>> {
        let mut all = self.targets(self.kind).await?;
        all.extend(self.targets(TransferKind::Cold).await.unwrap_or_default());
        let named = all.into_iter().filter_map(|it| Some((id(it.target?.target?)?, it.name)));
        let mut named: Vec<_> = named.filter(|(id, _)| !id.is_empty()).collect();
        named.sort();
        named.dedup();
        Ok(named)
    }

    /// All that the call can be handed over to by this kind, and what can't be had now.
    async fn targets(&self, kind: TransferKind) -> anyhow::Result<Vec<PickerTarget>> {
        let filter = Some(TargetFilter { include_unavailable: true, ..TargetFilter::default() });
        let (interaction_id, kind) = (self.interaction_id, i32::from(kind));
        let mut transfers = TransferServiceClient::new(self.channel.clone());
        let found = resolve::all_pages!(
            transfers,
            list_transfer_targets,
            ListTransferTargetsRequest { interaction_id, kind, filter },
            targets
        )?;
        Ok(found.into_iter().filter_map(|it| it.target).collect())
    }
}

const TARGETS: [Column; 4] =
    [Column::always("target"), Column::state("can be chosen"), Column::if_room("is"), Column::if_room("")];

async fn options(session: &ClientSession, id: Option<&str>) -> anyhow::Result<()> {
    let (call, channel) = call::acting_in(session, id).await?;
    let request = GetTransferOptionsRequest { interaction_id: call.interaction_id, ..Default::default() };
    let options = TransferServiceClient::new(channel).get_transfer_options(request).await.or_refusal()?;
    session.out.one("baton.transfer.v1.GetTransferOptionsResponse", &options, options_text)
}

async fn targets(session: &ClientSession, args: TransferTargetsArgs) -> anyhow::Result<()> {
    let (call, channel) = call::acting_in(session, args.call.id.as_deref()).await?;
    let (interaction_id, kind) = (call.interaction_id, i32::from(TransferKind::from(args.kind)));
    let filter = Some(args.filter.resolve(session).await?);
    watch::list(session, &args.watch, async || {
        let mut client = TransferServiceClient::new(channel.clone());
        let targets = resolve::all_pages!(
            client,
            list_transfer_targets,
            ListTransferTargetsRequest { interaction_id, kind, filter },
            targets
        )?;
        session.out.listed("baton.presence.v1.TransferTarget", &targets, &TARGETS, target_row)
    })
    .await
}

fn options_text(options: &GetTransferOptionsResponse) -> String {
    let kind = |it: &TransferOption| {
        let needs = match (it.needs_outcome, it.needs_message) {
            (true, true) => ", with an outcome and a message",
            (true, false) => ", with an outcome",
            (false, true) => ", with a message",
            (false, false) => "",
        };
        let refusal = match it.refusal() {
            ErrorReason::Unspecified => String::new(),
            reason => format!(
                ", not now ({})",
                word::spaced(&reason.as_str_name().replace("ERROR_REASON_", "").to_lowercase())
            ),
        };
        let outside = it.outside.as_ref().map(|it| outside_text(*it)).unwrap_or_default();
        format!("{}{needs}{outside}{refusal}", word::transfer_kind(it.kind))
    };
    let listed = |names: &[String]| names.iter().map(|it| word::one_line(it)).collect::<Vec<_>>().join(", ");
    let last = options.last_choice.as_ref().map(|last| {
        let outcome = if last.outcome.is_empty() { String::new() } else { format!(", for \"{}\"", last.outcome) };
        format!("{} to {}{outcome}", word::transfer_kind(last.kind), word::one_line(&last.name))
    });
    let lines = [
        ("kinds", options.options.iter().map(kind).collect::<Vec<_>>().join(&format!("\n{:<13}", ""))),
        ("outcomes", listed(&options.outcomes)),
        ("dispositions", listed(&options.dispositions)),
        ("last choice", last.unwrap_or_default()),
        ("your message", word::one_line(&options.kept_message)),
    ];
    let given = lines.into_iter().filter(|(_, is)| !is.is_empty());
    given.map(|(what, is)| format!("{what:<12} {is}")).collect::<Vec<_>>().join("\n")
}

/// To which numbers outside a kind goes in this call.
fn outside_text(it: OutsideOption) -> String {
    let known = match (it.forwarding, it.not_forwarding) {
        (true, true) => Some("to all external numbers"),
        (true, false) => Some("to external numbers with forwarding"),
        (false, true) => Some("to external numbers without forwarding"),
        (false, false) => None,
    };
    let typed = it.typed.then_some("to numbers that you type in");
    let possible: Vec<_> = known.into_iter().chain(typed).collect();
    if possible.is_empty() { ", not outside".to_owned() } else { format!(", outside {}", possible.join(" and ")) }
}

fn queue_text(load: &QueueLoad) -> String {
    if load.open {
        format!("{} waiting, wait: {}", load.waiting, queue::estimate(load.estimated_wait_ms))
    } else {
        "closed".to_owned()
    }
}

fn target_row(it: &TransferTarget) -> Vec<String> {
    let target = it.target.clone().unwrap_or_default();
    let can = match (it.choosable, it.would_wait) {
        (true, true) if it.queue_load.is_some() => "yes, it waits",
        (true, true) => "yes, after their call",
        (true, false) => "yes",
        (false, _) => "no",
    };
    let can = match word::obstacle(target.obstacle) {
        why if can == "no" && !why.is_empty() => format!("no, {why}"),
        _ => can.to_owned(),
    };
    let marks = match (it.chosen_last, it.recommended) {
        (true, _) => "your last choice",
        (false, true) => "recommended",
        (false, false) => "",
    };
    let own = target.target.as_ref().and_then(|it| it.target.as_ref());
    let is_flow = matches!(own, Some(target::Target::IvrFlowId(_)));
    let (name, is) = match &target.presence {
        _ if is_flow => (format!("IVR flow {}", target.name), String::new()),
        Some(presence) => (target.name.clone(), agent::presence_text(presence)),
        None => match (&it.queue_load, target.target.and_then(|it| it.target)) {
            (Some(load), _) => (format!("queue {}", target.name), queue_text(load)),
            (None, Some(target::Target::External(own))) => (format!("outside {}", target.name), own.number),
            _ => (format!("team {}", target.name), format!("{} available", target.available_agents)),
        },
    };
    vec![name, can, is, marks.to_owned()]
}

/// The transfer that is meant: the open one, or else the last one, of which the service then says that it is over.
fn latest_transfer(call: &baton_api::transfer::v1::Interaction) -> Result<String, KnownFailure> {
    let latest = call.transfer.as_ref().map(|it| it.transfer_id.clone());
    latest.ok_or_else(|| {
        KnownFailure::not_now("there is no transfer in this call\n  `baton transfer start` hands the customer over.")
    })
}

async fn complete(session: &ClientSession, id: Option<&str>) -> anyhow::Result<()> {
    let (call, channel) = call::acting_in(session, id).await?;
    let request = CompleteTransferRequest {
        request_id: session.request_id(),
        transfer_id: latest_transfer(&call)?,
        interaction_id: call.interaction_id,
        ..Default::default()
    };
    let completed = TransferServiceClient::new(channel).complete_transfer(request).await.or_refusal()?;
    call::print_changed(session, &call.primary_agent_id, completed.interaction).await
}

async fn swap(session: &ClientSession, id: Option<&str>) -> anyhow::Result<()> {
    let (call, channel) = call::acting_in(session, id).await?;
    let request = SwapTransferRequest {
        request_id: session.request_id(),
        transfer_id: latest_transfer(&call)?,
        interaction_id: call.interaction_id,
        ..Default::default()
    };
    let swapped = TransferServiceClient::new(channel).swap_transfer(request).await.or_refusal()?;
    call::print_changed(session, &call.primary_agent_id, swapped.interaction).await
}

async fn cancel(session: &ClientSession, id: Option<&str>) -> anyhow::Result<()> {
    let (call, channel) = call::acting_in(session, id).await?;
    let request = CancelTransferRequest {
        request_id: session.request_id(),
        transfer_id: latest_transfer(&call)?,
        interaction_id: call.interaction_id,
        ..Default::default()
    };
    let cancelled = TransferServiceClient::new(channel).cancel_transfer(request).await.or_refusal()?;
    call::print_changed(session, &call.primary_agent_id, cancelled.interaction).await
}

async fn decline(session: &ClientSession, id: Option<&str>) -> anyhow::Result<()> {
    if session.can_mint_tokens() && session.acting_agent().is_none() {
        return Err(UsageError::new("say who declines: --as agent:NAME").into());
    }
    let call = resolve::interaction(session, id).await?;
    // What a call flow offers belongs to no transfer.
    let is_open = call.transfer.as_ref().is_some_and(|it| it.end_time.is_none());
    let request = DeclineTransferRequest {
        request_id: session.request_id(),
        transfer_id: if is_open { latest_transfer(&call)? } else { String::new() },
        interaction_id: call.interaction_id,
        ..Default::default()
    };
    let declined = TransferServiceClient::new(session.channel_for_role(Role::Agent)?)
        .decline_transfer(request)
        .await
        .or_refusal()?;
    session.out.one("baton.transfer.v1.DeclineTransferResponse", &declined, |_| "Declined.".to_owned())
}

const COLUMNS: [Column; 7] = [
    Column::id("transfer"),
    Column::if_room("kind"),
    Column::always("from"),
    Column::always("to"),
    Column::state("phase"),
    Column::if_room("reason"),
    Column::if_room(word::SINCE),
];

async fn list(
    session: &ClientSession,
    open_only: bool,
    started_from_time: Option<Timestamp>,
    args: &watch::WatchArgs,
) -> anyhow::Result<()> {
    let request = ListTransfersRequest { open_only, started_from_time, ..ListTransfersRequest::default() };
    watch::list(session, args, async || {
        let transfers = transfers(session, request.clone()).await?;
        let names = resolve::names(session).await?;
        session.out.listed(TRANSFER, &transfers, &COLUMNS, |it| row(it, &names))
    })
    .await
}

async fn transfers(session: &ClientSession, request: ListTransfersRequest) -> anyhow::Result<Vec<Transfer>> {
    let request = ListTransfersRequest { page_size: resolve::PAGE_SIZE, ..request };
    let mut client = TransferServiceClient::new(session.reader_channel()?);
    Ok(client.list_transfers(request).await.or_refusal()?.transfers)
}

fn row(transfer: &Transfer, names: &Names) -> Vec<String> {
    vec![
        transfer.transfer_id.clone(),
        word::transfer_kind(transfer.kind),
        names.of(&transfer.initiator_agent_id),
        names.of_target(transfer.target.as_ref()),
        word::transfer_phase(transfer.phase),
        word::or_dash(word::reason(transfer.reason)),
        word::time(transfer.create_time.as_ref()),
    ]
}

/// By its id, the beginning or the end of it.
async fn named(session: &ClientSession, id: &str) -> anyhow::Result<Option<Transfer>> {
    let mut client = TransferServiceClient::new(session.reader_channel()?);
    match client.get_transfer(GetTransferRequest { transfer_id: id.to_owned() }).await {
        Ok(found) => return Ok(Some(found.into_inner().transfer.context("the answer is empty")?)),
        Err(status) if refusal::is_unanswered(&refusal::of(&status)) => return Err(refusal::of(&status)),
        Err(_) => {}
    }
    let known = transfers(session, ListTransfersRequest::default()).await?;
    let found = resolve::find_one("transfer", id, &known, |it| [it.transfer_id.as_str(), it.transfer_id.as_str()]);
    Ok(found.ok().cloned())
}

/// The latest of a call.
async fn latest_of(session: &ClientSession, id: &str) -> anyhow::Result<Transfer> {
    let interaction_id = resolve::interaction(session, Some(id)).await?.interaction_id;
    let request = ListTransfersRequest { interaction_id: interaction_id.clone(), ..ListTransfersRequest::default() };
    let latest = transfers(session, request).await?.into_iter().next();
    latest.ok_or_else(|| KnownFailure::not_found(format!("there is no transfer of call {interaction_id}")).into())
}

async fn show(session: &ClientSession, id: &str) -> anyhow::Result<()> {
    let transfer = match named(session, id).await? {
        Some(transfer) => transfer,
        None => latest_of(session, id).await?,
    };
    let names = resolve::names(session).await?;
    session.out.one(TRANSFER, &transfer, |it| {
        let line = view::transfer_line(it, &names);
        let ended = word::or_dash(word::moment(it.end_time.as_ref()));
        let began = word::moment(it.create_time.as_ref());
        format!(
            "Transfer {}\n  {line}\n  began   {began}\n  ended   {ended}\n  outcome {}\n  message {}",
            it.transfer_id,
            word::or_dash(it.outcome.clone()),
            word::or_dash(it.message.clone())
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_line_with_the_numbers_outside_to_which_it_goes() {
        let outside = |forwarding, not_forwarding, typed| {
            Some(OutsideOption { forwarding, not_forwarding, typed, ..OutsideOption::default() })
        };
        let option = |kind: TransferKind, outside| TransferOption { kind: kind.into(), outside, ..Default::default() };
        let options = vec![
            option(TransferKind::Cold, outside(false, true, true)),
            option(TransferKind::OnAnswer, outside(true, true, false)),
            option(TransferKind::Warm, outside(false, false, false)),
            option(TransferKind::RoundTrip, None),
        ];
        let text = options_text(&GetTransferOptionsResponse { options, ..Default::default() });
        let lines: Vec<_> = text.lines().map(str::trim_start).collect();
        let cold = "cold, outside to external numbers without forwarding and to numbers that you type in";
        assert_eq!(lines[0], format!("kinds        {cold}"));
        assert_eq!(lines[1..], ["on answer, outside to all external numbers", "warm, not outside", "round trip"]);
    }
}
