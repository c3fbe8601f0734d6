//! `baton call`.

use std::time::Duration;

use anyhow::Context as _;
use baton_api::simulator::v1::PlaceCallRequest;
use baton_api::simulator::v1::simulator_service_client::SimulatorServiceClient;
use baton_api::transfer::v1::interaction_service_client::InteractionServiceClient;
use baton_api::transfer::v1::{
    self as transfer, AddNoteRequest, EndInteractionRequest, GetInteractionRequest, HoldCustomerRequest, Interaction,
    LeaveInteractionRequest, ResumeCustomerRequest, SetMuteRequest, WatchInteractionRequest, interaction,
};
use baton_runtime::auth::Role;
use baton_runtime::client::GrpcChannel;
use clap::{Args, Subcommand};

use super::refusal::{self, Told};
use super::session::Session;
use super::story::Names;
use super::{number, resolve, view};
use crate::failure::Usage;

pub(super) const INTERACTION: &str = "baton.transfer.v1.Interaction";
const FROM: &str = "+32470123456";
/// A call is known as soon as the switch has told of it.
const KNOWN_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Which call.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The call: its id, or the beginning or the last group of it [default: the only live one].
    #[arg(long = "call", value_name = "ID")]
    pub(super) id: Option<String>,
}

/// Which call, as the thing that the command is about.
#[derive(Debug, Args)]
pub(crate) struct TheCall {
    /// The call: its id, or the beginning or the last group of it [default: the only live one].
    #[arg(value_name = "CALL")]
    id: Option<String>,
}

/// What can be done with calls.
#[derive(Debug, Subcommand)]
pub(crate) enum CallCommand {
    /// A customer calls a number (on the simulated switch).
    Place {
        /// The customer's number.
        #[arg(long, default_value = FROM)]
        from: String,
        /// The number to call [default: the tenant's first].
        #[arg(long)]
        to: Option<String>,
    },
    /// An agent calls a customer: the agent's phone rings first, then the customer's. Needs `--as agent:NAME`, and a rule that
    /// allows the number (`baton number allow`).
    Dial {
        /// The number to call from [default: the tenant's first].
        #[arg(long)]
        from: Option<String>,
        /// The customer's number, for example +32470123456.
        #[arg(long)]
        to: String,
    },
    /// List calls, newest first.
    List {
        /// Also those that are over.
        #[arg(long)]
        all: bool,
    },
    /// Show a call: who is in it, its journey, notes, and what may be done.
    Show(TheCall),
    /// Show a call as it changes, until it is over.
    Watch(TheCall),
    /// Put the customer on hold.
    Hold(TheCall),
    /// Take the customer off hold.
    Resume(TheCall),
    /// Mute whom you act as (the primary agent, if nobody is named).
    Mute {
        #[command(flatten)]
        call: TheCall,
        /// Unmute.
        #[arg(long)]
        off: bool,
    },
    /// Write a note that travels with the call.
    Note {
        /// The text.
        text: String,
        #[command(flatten)]
        call: TheCall,
    },
    /// Leave the call, as by hanging up.
    Leave(TheCall),
    /// End the call for everybody.
    End(TheCall),
}

/// Runs it.
pub(crate) async fn run(session: &Session, command: CallCommand) -> anyhow::Result<()> {
    match command {
        CallCommand::Place { from, to } => place(session, from, to).await,
        CallCommand::Dial { from, to } => dial(session, from, to).await,
        CallCommand::List { all } => list(session, all).await,
        CallCommand::Show(call) => show(session, call.id.as_deref()).await,
        CallCommand::Watch(call) => watch(session, call.id.as_deref()).await,
        CallCommand::Hold(call) => hold(session, call.id.as_deref(), true).await,
        CallCommand::Resume(call) => hold(session, call.id.as_deref(), false).await,
        CallCommand::Mute { call, off } => mute(session, call.id.as_deref(), !off).await,
        CallCommand::Note { text, call } => note(session, call.id.as_deref(), text).await,
        CallCommand::Leave(call) => leave(session, call.id.as_deref()).await,
        CallCommand::End(call) => end(session, call.id.as_deref()).await,
    }
}

/// The call, and the connection of whoever acts in it: the primary agent, unless somebody was named.
pub(super) async fn acting_in(session: &Session, id: Option<&str>) -> anyhow::Result<(Interaction, GrpcChannel)> {
    let call = resolve::interaction(session, id).await?;
    let channel = if call.primary_agent_id.is_empty() {
        session.of_role(Role::Supervisor)?
    } else {
        session.of_agent(&call.primary_agent_id)?
    };
    Ok((call, channel))
}

async fn place(session: &Session, from: String, to: Option<String>) -> anyhow::Result<()> {
    let to = match to {
        Some(to) => to,
        None => number::first(session).await?,
    };
    let request = PlaceCallRequest { request_id: session.request_id(), from, to, tone_hz: 0 };
    let placed = SimulatorServiceClient::new(session.of_phones()?).place_call(request).await.told()?;
    let known = session.clock.timeout(KNOWN_WITHIN, opened(session, &placed.leg_id)).await;
    let Ok(call) = known else {
        anyhow::bail!("the phone rings, but no call came of it; is the number one of the tenant's?")
    };
    let names = resolve::names(session).await?;
    session.out.one(INTERACTION, &call?, |it| view::now(it, &names))
}

async fn dial(session: &Session, from: Option<String>, to: String) -> anyhow::Result<()> {
    if session.can_mint() && session.acting_agent().is_none() {
        return Err(Usage::new("say who calls, for example --as agent:Ada").into());
    }
    let number = match from {
        Some(from) => from,
        None => number::first(session).await?,
    };
    let request = transfer::PlaceCallRequest { request_id: session.request_id(), number, to };
    let mut client = InteractionServiceClient::new(session.of_role(Role::Agent)?);
    let call = client.place_call(request).await.told()?.interaction;
    changed(session, call).await
}

/// The call that this leg on the switch became.
async fn opened(session: &Session, leg_id: &str) -> anyhow::Result<Interaction> {
    loop {
        if let Some(call) = of_leg(resolve::interactions(session, true).await?, leg_id) {
            return Ok(call);
        }
        session.clock.sleep(LOOK_EVERY).await;
    }
}

/// The number would not do: who calls twice has two calls.
fn of_leg(calls: Vec<Interaction>, leg_id: &str) -> Option<Interaction> {
    calls.into_iter().find(|it| it.parties.iter().any(|party| party.leg_id == leg_id))
}

async fn list(session: &Session, all: bool) -> anyhow::Result<()> {
    let calls = resolve::interactions(session, !all).await?;
    let names = resolve::names(session).await?;
    session.out.list(INTERACTION, &calls, &view::COLUMNS, |it| view::row(it, &names))
}

async fn show(session: &Session, id: Option<&str>) -> anyhow::Result<()> {
    let (call, channel) = acting_in(session, id).await?;
    // Once more as whoever acts: what may be done differs from one to the other.
    let request = GetInteractionRequest { interaction_id: call.interaction_id.clone() };
    let seen = InteractionServiceClient::new(channel).get_interaction(request).await;
    let call = match seen {
        Err(status) if resolve::is_not_found(&status) => call,
        seen => seen.told()?.interaction.context("the answer is empty")?,
    };
    let names = resolve::names(session).await?;
    session.out.one(INTERACTION, &call, |it| view::whole(it, &names))
}

async fn watch(session: &Session, id: Option<&str>) -> anyhow::Result<()> {
    let call = resolve::interaction(session, id).await?;
    let names = resolve::names(session).await?;
    let mut client = InteractionServiceClient::new(session.of_role(Role::Supervisor)?);
    let request = WatchInteractionRequest { interaction_id: call.interaction_id, after_version: 0 };
    let mut changes = client.watch_interaction(request).await.told()?;
    while let Some(change) = changes.message().await.map_err(|status| refusal::of(&status))? {
        let Some(call) = change.interaction else { continue };
        session.out.next(INTERACTION, &call, |it| view::change(it, &names))?;
        if call.state() == interaction::State::Ended {
            break;
        }
    }
    Ok(())
}

async fn hold(session: &Session, id: Option<&str>, on_hold: bool) -> anyhow::Result<()> {
    let (call, channel) = acting_in(session, id).await?;
    let (request_id, interaction_id) = (session.request_id(), call.interaction_id);
    let mut client = InteractionServiceClient::new(channel);
    let call = if on_hold {
        client.hold_customer(HoldCustomerRequest { request_id, interaction_id }).await.told()?.interaction
    } else {
        client.resume_customer(ResumeCustomerRequest { request_id, interaction_id }).await.told()?.interaction
    };
    changed(session, call).await
}

async fn mute(session: &Session, id: Option<&str>, muted: bool) -> anyhow::Result<()> {
    let (call, channel) = acting_in(session, id).await?;
    let request = SetMuteRequest { request_id: session.request_id(), interaction_id: call.interaction_id, muted };
    let call = InteractionServiceClient::new(channel).set_mute(request).await.told()?.interaction;
    changed(session, call).await
}

async fn note(session: &Session, id: Option<&str>, text: String) -> anyhow::Result<()> {
    let (call, channel) = acting_in(session, id).await?;
    let request = AddNoteRequest { request_id: session.request_id(), interaction_id: call.interaction_id, text };
    let call = InteractionServiceClient::new(channel).add_note(request).await.told()?.interaction;
    changed(session, call).await
}

async fn leave(session: &Session, id: Option<&str>) -> anyhow::Result<()> {
    let (call, channel) = acting_in(session, id).await?;
    let names = resolve::names(session).await?;
    let who = names.of(session.acting_agent().unwrap_or(&call.primary_agent_id));
    let request = LeaveInteractionRequest { request_id: session.request_id(), interaction_id: call.interaction_id };
    InteractionServiceClient::new(channel).leave_interaction(request).await.told()?;
    session.out.note(&format!("{who} has left the call."));
    Ok(())
}

async fn end(session: &Session, id: Option<&str>) -> anyhow::Result<()> {
    let call = resolve::interaction(session, id).await?;
    let request = EndInteractionRequest { request_id: session.request_id(), interaction_id: call.interaction_id };
    let mut client = InteractionServiceClient::new(session.of_role(Role::Supervisor)?);
    client.end_interaction(request).await.told()?;
    session.out.note("The call is over.");
    Ok(())
}

/// Shows the call after a change.
pub(super) async fn changed(session: &Session, call: Option<Interaction>) -> anyhow::Result<()> {
    let call = call.context("the answer is empty")?;
    let names: Names = resolve::names(session).await?;
    session.out.one(INTERACTION, &call, |it| view::now(it, &names))
}

#[cfg(test)]
mod tests {
    use baton_api::transfer::v1::Party;

    use super::*;

    fn of_customer(interaction_id: &str, leg_id: &str) -> Interaction {
        Interaction {
            interaction_id: interaction_id.to_owned(),
            customer: FROM.to_owned(),
            parties: vec![Party { leg_id: leg_id.to_owned(), ..Party::default() }],
            ..Interaction::default()
        }
    }

    #[test]
    fn a_placed_call_is_the_one_of_its_leg_and_no_other_of_the_same_customer() {
        let mut calls = vec![of_customer("first", "leg-1")];
        assert_eq!(of_leg(calls.clone(), "leg-2"), None);
        calls.push(of_customer("second", "leg-2"));
        assert_eq!(of_leg(calls, "leg-2").unwrap().interaction_id, "second");
    }
}
