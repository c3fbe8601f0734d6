//! `baton transfer`.

use anyhow::Context as _;
use baton_api::common::v1::TransferKind;
use baton_api::transfer::v1::transfer_service_client::TransferServiceClient;
use baton_api::transfer::v1::{
    CancelTransferRequest, CompleteTransferRequest, DeclineTransferRequest, GetTransferRequest, ListTransfersRequest,
    StartTransferRequest, Transfer,
};
use baton_runtime::auth::Role;
use clap::{Args, Subcommand, ValueEnum};

use super::call::{self, Which};
use super::refusal::Told;
use super::session::Session;
use super::story::Names;
use super::{resolve, view, word};
use crate::failure::Usage;

const TRANSFER: &str = "baton.transfer.v1.Transfer";

/// What can be done with transfers.
#[derive(Debug, Subcommand)]
pub(crate) enum TransferCommand {
    /// Hand the customer over to an agent or a team.
    Start(StartArgs),
    /// Hand over now: the recipient has the customer, the initiator is released.
    Complete(WhichCall),
    /// Take the open transfer back.
    Cancel(WhichCall),
    /// Decline what rings at the agent named with --as.
    Decline(WhichCall),
    /// List transfers, newest first.
    List {
        /// Only those that are open.
        #[arg(long)]
        open: bool,
    },
    /// Show a transfer.
    Show {
        /// Its id, or the call's: then the latest of that call.
        id: String,
    },
}

/// What `transfer start` takes.
#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    #[command(flatten)]
    which: Which,
    /// To whom: an agent's or a team's name or id.
    #[arg(long, value_name = "TARGET")]
    to: String,
    /// How.
    #[arg(long, value_enum, default_value = "warm")]
    kind: Kind,
    /// Shown to the recipient.
    #[arg(long, default_value = "", hide_default_value = true)]
    message: String,
}

/// Whose transfer.
#[derive(Debug, Args)]
pub(crate) struct WhichCall {
    #[command(flatten)]
    which: Which,
}

/// How a customer is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// The initiator is released at once.
    Cold,
    /// The agents talk in private first.
    Warm,
}

impl From<Kind> for TransferKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Cold => Self::Cold,
            Kind::Warm => Self::Warm,
        }
    }
}

/// Runs it.
pub(crate) async fn run(session: &Session, command: TransferCommand) -> anyhow::Result<()> {
    match command {
        TransferCommand::Start(args) => start(session, args).await,
        TransferCommand::Complete(it) => complete(session, it.which.id.as_deref()).await,
        TransferCommand::Cancel(it) => cancel(session, it.which.id.as_deref()).await,
        TransferCommand::Decline(it) => decline(session, it.which.id.as_deref()).await,
        TransferCommand::List { open } => list(session, open).await,
        TransferCommand::Show { id } => show(session, &id).await,
    }
}

async fn start(session: &Session, args: StartArgs) -> anyhow::Result<()> {
    let target = resolve::target(session, &args.to).await?;
    let (of, channel) = call::acting_in(session, args.which.id.as_deref()).await?;
    let request = StartTransferRequest {
        request_id: session.request_id(),
        interaction_id: of.interaction_id,
        kind: TransferKind::from(args.kind).into(),
        target: Some(target),
        message: args.message,
    };
    let started = TransferServiceClient::new(channel).start_transfer(request).await.told()?;
    call::changed(session, &of.primary_agent_id, started.interaction).await
}

async fn complete(session: &Session, id: Option<&str>) -> anyhow::Result<()> {
    let (of, channel) = call::acting_in(session, id).await?;
    let request = CompleteTransferRequest { request_id: session.request_id(), interaction_id: of.interaction_id };
    let completed = TransferServiceClient::new(channel).complete_transfer(request).await.told()?;
    call::changed(session, &of.primary_agent_id, completed.interaction).await
}

async fn cancel(session: &Session, id: Option<&str>) -> anyhow::Result<()> {
    let (of, channel) = call::acting_in(session, id).await?;
    let request = CancelTransferRequest { request_id: session.request_id(), interaction_id: of.interaction_id };
    let cancelled = TransferServiceClient::new(channel).cancel_transfer(request).await.told()?;
    call::changed(session, &of.primary_agent_id, cancelled.interaction).await
}

async fn decline(session: &Session, id: Option<&str>) -> anyhow::Result<()> {
    if session.can_mint() && session.acting_agent().is_none() {
        return Err(Usage::new("say who declines: --as agent:NAME").into());
    }
    let of = resolve::interaction(session, id).await?;
    let request = DeclineTransferRequest { request_id: session.request_id(), interaction_id: of.interaction_id };
    let declined = TransferServiceClient::new(session.of_role(Role::Agent)?).decline_transfer(request).await.told()?;
    session.out.one("baton.transfer.v1.DeclineTransferResponse", &declined, |_| "Declined.".to_owned())
}

async fn list(session: &Session, open_only: bool) -> anyhow::Result<()> {
    let transfers = transfers(session, "", open_only).await?;
    let names = resolve::names(session).await?;
    let columns = ["transfer", "kind", "from", "to", "phase", "reason", word::SINCE];
    session.out.list(TRANSFER, &transfers, &columns, |it| row(it, &names))
}

async fn transfers(session: &Session, interaction_id: &str, open_only: bool) -> anyhow::Result<Vec<Transfer>> {
    let request = ListTransfersRequest {
        interaction_id: interaction_id.to_owned(),
        open_only,
        page_size: resolve::PAGE,
        page_token: String::new(),
    };
    let mut client = TransferServiceClient::new(session.reading()?);
    Ok(client.list_transfers(request).await.told()?.transfers)
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

async fn show(session: &Session, id: &str) -> anyhow::Result<()> {
    let mut client = TransferServiceClient::new(session.reading()?);
    let found = client.get_transfer(GetTransferRequest { transfer_id: id.to_owned() }).await;
    let transfer = if let Ok(found) = found {
        found.into_inner().transfer.context("the answer is empty")?
    } else {
        let of = resolve::interaction(session, Some(id)).await?;
        let latest = transfers(session, &of.interaction_id, false).await?.into_iter().next();
        latest.with_context(|| format!("there is no transfer of call {}", of.interaction_id))?
    };
    let names = resolve::names(session).await?;
    session.out.one(TRANSFER, &transfer, |it| {
        let line = view::transfer_line(it, &names);
        let ended = word::or_dash(word::moment(it.end_time.as_ref()));
        let began = word::moment(it.create_time.as_ref());
        format!(
            "Transfer {}\n  {line}\n  began   {began}\n  ended   {ended}\n  message {}",
            it.transfer_id,
            word::or_dash(it.message.clone())
        )
    })
}
