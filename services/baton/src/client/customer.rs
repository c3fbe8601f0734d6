//! `baton customer`.

use baton_api::transfer::v1::ForgetCustomerRequest;
use baton_api::transfer::v1::interaction_service_client::InteractionServiceClient;
use baton_runtime::auth::Role;
use clap::{Args, Subcommand};

use super::refusal::OrRefusal as _;
use super::session::ClientSession;
use crate::failure::{KnownFailure, UsageError};

#[derive(Debug, Subcommand)]
pub(crate) enum CustomerCommand {
    /// Forget a customer: erase who they are in all their calls, with notes and data, and delete their recordings and voicemail messages. The calls stay, so
    /// that reports count what they counted before. Events of before have the number for as long as events are kept: 30 days at most.
    Forget(ForgetArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ForgetArgs {
    /// The customer's number or address, all of it, as their calls show it.
    address: String,
    /// Really do it: it can't be undone.
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(session: &ClientSession, command: CustomerCommand) -> anyhow::Result<()> {
    let CustomerCommand::Forget(args) = command;
    if !args.yes {
        return Err(UsageError("this can't be undone; to do it, add --yes".to_owned()).into());
    }
    let request = ForgetCustomerRequest { request_id: session.request_id(), address: args.address };
    let mut client = InteractionServiceClient::new(session.channel_for_role(Role::Admin)?);
    let forgotten = client.forget_customer(request).await.or_refusal()?;
    if forgotten.interactions == 0 {
        let text = "no call of this customer is known: give the number or address as `baton call list --all` shows it";
        return Err(KnownFailure::not_found(text).into());
    }
    session.out.one("baton.transfer.v1.ForgetCustomerResponse", &forgotten, |it| {
        format!(
            "The customer is forgotten: calls {}, recordings deleted {}, voicemail messages deleted {}.",
            it.interactions, it.recordings, it.messages
        )
    })
}
