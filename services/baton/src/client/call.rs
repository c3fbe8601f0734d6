//! `baton call`.

mod place;
mod steer;

use anyhow::Context as _;
use baton_api::transfer::v1::interaction_service_client::InteractionServiceClient;
use baton_api::transfer::v1::{GetInteractionRequest, Interaction, WatchInteractionRequest, interaction};
use baton_runtime::auth::Role;
use baton_runtime::client::GrpcChannel;
use clap::{Args, Subcommand};

use super::refusal::{self, Told};
use super::session::Session;
use super::{resolve, view};

pub(super) const INTERACTION: &str = "baton.transfer.v1.Interaction";
const FROM: &str = "+32470123456";

/// Which call.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The call: its id, or the beginning or the last group of it [default: the only live one, or that of whom you act as].
    #[arg(long = "call", value_name = "ID")]
    pub(super) id: Option<String>,
}

/// Which call, as the thing that the command is about.
#[derive(Debug, Args)]
pub(crate) struct TheCall {
    /// The call: its id, or the beginning or the last group of it [default: the only live one, or that of whom you act as].
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
    /// Attach data to the call, which travels with it, or remove some.
    Data(DataArgs),
    /// Leave the call, as by hanging up.
    Leave(TheCall),
    /// End the call for everybody.
    End(TheCall),
}

/// What `call data` takes.
#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    /// What to set; keys are 1 to 64 of a-z 0-9 _ . -
    #[arg(value_name = "KEY=VALUE", value_parser = steer::parse_pair, required_unless_present = "remove")]
    set: Vec<(String, String)>,
    /// A key to remove. May be given several times.
    #[arg(long, value_name = "KEY")]
    remove: Vec<String>,
    #[command(flatten)]
    which: Which,
}

/// Runs it.
pub(crate) async fn run(session: &Session, command: CallCommand) -> anyhow::Result<()> {
    match command {
        CallCommand::Place { from, to } => place::place(session, from, to).await,
        CallCommand::Dial { from, to } => place::dial(session, from, to).await,
        CallCommand::List { all } => list(session, all).await,
        CallCommand::Show(call) => show(session, call.id.as_deref()).await,
        CallCommand::Watch(call) => watch(session, call.id.as_deref()).await,
        CallCommand::Hold(call) => steer::hold(session, call.id.as_deref(), true).await,
        CallCommand::Resume(call) => steer::hold(session, call.id.as_deref(), false).await,
        CallCommand::Mute { call, off } => steer::mute(session, call.id.as_deref(), !off).await,
        CallCommand::Note { text, call } => steer::note(session, call.id.as_deref(), text).await,
        CallCommand::Data(args) => steer::data(session, args).await,
        CallCommand::Leave(call) => steer::leave(session, call.id.as_deref()).await,
        CallCommand::End(call) => steer::end(session, call.id.as_deref()).await,
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

async fn list(session: &Session, all: bool) -> anyhow::Result<()> {
    let calls = resolve::interactions(session, !all).await?;
    let names = resolve::names(session).await?;
    session.out.list(INTERACTION, &calls, view::columns(all), |it| view::row(it, &names, all))
}

async fn show(session: &Session, id: Option<&str>) -> anyhow::Result<()> {
    let (call, channel) = acting_in(session, id).await?;
    // Once more as whoever acts: what may be done differs from one to the other.
    let request = GetInteractionRequest { interaction_id: call.interaction_id };
    let seen = InteractionServiceClient::new(channel).get_interaction(request).await.told()?;
    let (seen, names) = (seen.interaction.context("the answer is empty")?, resolve::names(session).await?);
    let who = session.whose(&call.primary_agent_id, &names);
    session.out.one(INTERACTION, &seen, |it| view::whole(it, &names, &who))
}

async fn watch(session: &Session, id: Option<&str>) -> anyhow::Result<()> {
    let call = resolve::interaction(session, id).await?;
    let names = resolve::names(session).await?;
    let mut client = InteractionServiceClient::new(session.reading()?);
    let request = WatchInteractionRequest { interaction_id: call.interaction_id, after_version: 0 };
    let mut changes = client.watch_interaction(request).await.told()?;
    let mut shown = String::new();
    while let Some(change) = changes.message().await.map_err(|status| refusal::of(&status))? {
        let Some(call) = change.interaction else { continue };
        let line = view::change(&call, &names);
        // Much of what changes is nothing that a person sees.
        if session.out.json || line != shown {
            session.out.next(INTERACTION, &call, |it| format!("{:>4}  {line}", it.version))?;
            shown = line;
        }
        if call.state() == interaction::State::Ended {
            break;
        }
    }
    Ok(())
}

/// Shows the call after a change that was made as whoever acts, or as this agent.
pub(super) async fn changed(session: &Session, agent_id: &str, call: Option<Interaction>) -> anyhow::Result<()> {
    let call = call.context("the answer is empty")?;
    let names = resolve::names(session).await?;
    let who = session.whose(agent_id, &names);
    session.out.one(INTERACTION, &call, |it| view::now(it, &names, &who))
}
