//! `baton call`.

mod explain;
mod place;
mod steer;

use anyhow::Context as _;
use baton_api::transfer::v1::interaction_service_client::InteractionServiceClient;
use baton_api::transfer::v1::{GetInteractionRequest, Interaction, WatchInteractionRequest, interaction};
use baton_runtime::auth::Role;
use baton_runtime::client::GrpcChannel;
use clap::{Args, Subcommand};
use prost_types::Timestamp;

use super::refusal::OrRefusal;
use super::session::ClientSession;
use super::{resolve, view, watch, word};

pub(super) const INTERACTION: &str = "baton.transfer.v1.Interaction";
const FROM: &str = "+32470123456";

#[derive(Debug, Args)]
pub(super) struct CallOption {
    /// The call: its id, or the beginning or the last group of it [default: the only live one, or that of whom you act as].
    #[arg(long = "call", value_name = "ID")]
    pub(super) id: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CallArgument {
    /// The call: its id, or the beginning or the last group of it [default: the only live one, or that of whom you act as].
    #[arg(value_name = "CALL")]
    id: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CallCommand {
    /// A customer calls a number (on the simulated switch).
    #[command(name = "place")]
    PlaceCall {
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
    #[command(visible_alias = "ls")]
    List {
        /// Also those that are over.
        #[arg(long)]
        all: bool,
        /// Only those that began at this time (2026-11-28T09:00:00Z) or later, or so long ago at most (10m, 2h).
        #[arg(long, value_name = "TIME", value_parser = word::moment_or_age)]
        since: Option<Timestamp>,
        #[command(flatten)]
        watch: watch::WatchArgs,
    },
    /// Show a call: who is in it, its journey, notes, and what may be done.
    Show(CallArgument),
    /// Tell what happened in a call, and of each step why: what came in, and the rule of the policy that decided.
    Explain(explain::ExplainArgs),
    /// Show a call as it changes, until it is over.
    Watch(CallArgument),
    /// Put the customer on hold.
    Hold(CallArgument),
    /// Take the customer off hold.
    Resume(CallArgument),
    /// Mute whom you act as (the primary agent, if nobody is named).
    Mute {
        #[command(flatten)]
        call: CallArgument,
        /// Unmute.
        #[arg(long)]
        off: bool,
    },
    /// Write a note that travels with the call.
    Note {
        /// The text.
        text: String,
        #[command(flatten)]
        call: CallArgument,
    },
    /// Attach data to the call, which travels with it, or remove some.
    Data(CallDataArgs),
    /// Say how the turn ended of the agent named with --as, who has left the call.
    Disposition {
        /// One of the dispositions that the policy lists. The call is named with --call.
        #[arg(value_name = "DISPOSITION")]
        name: String,
        /// Something to remember.
        #[arg(long, default_value = "", hide_default_value = true)]
        note: String,
        /// The call: its id, or the beginning or the last group of it [default: the first that the agent has to disposition].
        #[arg(long = "call", value_name = "ID")]
        id: Option<String>,
    },
    /// Leave the call, as by hanging up.
    Leave(CallArgument),
    /// End the call for everybody.
    End(CallArgument),
}

#[derive(Debug, Args)]
pub(crate) struct CallDataArgs {
    /// What to set; keys are 1 to 64 of a-z 0-9 _ . -
    #[arg(value_name = "KEY=VALUE", value_parser = steer::parse_pair, required_unless_present = "remove")]
    set: Vec<(String, String)>,
    /// A key to remove. May be given several times.
    #[arg(long, value_name = "KEY")]
    remove: Vec<String>,
    #[command(flatten)]
    call: CallOption,
}

pub(crate) async fn run(session: &ClientSession, command: CallCommand) -> anyhow::Result<()> {
    match command {
        CallCommand::PlaceCall { from, to } => place::place_call(session, from, to).await,
        CallCommand::Dial { from, to } => place::dial(session, from, to).await,
        CallCommand::List { all, since, watch } => list(session, all, since, &watch).await,
        CallCommand::Show(call) => show(session, call.id.as_deref()).await,
        CallCommand::Explain(args) => explain::run(session, &args).await,
        CallCommand::Watch(call) => watch(session, call.id.as_deref()).await,
        CallCommand::Hold(call) => steer::hold(session, call.id.as_deref(), true).await,
        CallCommand::Resume(call) => steer::hold(session, call.id.as_deref(), false).await,
        CallCommand::Mute { call, off } => steer::mute(session, call.id.as_deref(), !off).await,
        CallCommand::Note { text, call } => steer::note(session, call.id.as_deref(), text).await,
        CallCommand::Data(args) => steer::data(session, args).await,
        CallCommand::Disposition { name, note, id } => steer::disposition(session, name, note, id.as_deref()).await,
        CallCommand::Leave(call) => steer::leave(session, call.id.as_deref()).await,
        CallCommand::End(call) => steer::end(session, call.id.as_deref()).await,
    }
}

/// The call, and a channel in the name of `--as` or, without it, of the primary agent (of a supervisor if there is none).
pub(super) async fn acting_in(session: &ClientSession, id: Option<&str>) -> anyhow::Result<(Interaction, GrpcChannel)> {
    let call = resolve::interaction(session, id).await?;
    let channel = if call.primary_agent_id.is_empty() {
        session.channel_for_role(Role::Supervisor)?
    } else {
        session.channel_for_agent(&call.primary_agent_id)?
    };
    Ok((call, channel))
}

async fn list(
    session: &ClientSession,
    all: bool,
    since: Option<Timestamp>,
    args: &watch::WatchArgs,
) -> anyhow::Result<()> {
    watch::list(session, args, async || {
        let mut calls = resolve::interactions(session, !all).await?;
        calls.retain(|it| word::is_since(it.create_time.as_ref(), since.as_ref()));
        let names = resolve::names(session).await?;
        session.out.listed(INTERACTION, &calls, view::columns(all), |it| view::row(it, &names, all))
    })
    .await
}

async fn show(session: &ClientSession, id: Option<&str>) -> anyhow::Result<()> {
    let (call, channel) = acting_in(session, id).await?;
    // Read again in that name: the allowed actions depend on who asks.
    let request = GetInteractionRequest { interaction_id: call.interaction_id };
    let current = InteractionServiceClient::new(channel).get_interaction(request).await.or_refusal()?;
    let (current, names) = (current.interaction.context("the answer is empty")?, resolve::names(session).await?);
    let who = session.acting_name(&call.primary_agent_id, &names);
    session.out.one(INTERACTION, &current, |it| view::full_text(it, &names, &who))
}

async fn watch(session: &ClientSession, id: Option<&str>) -> anyhow::Result<()> {
    let call = resolve::interaction(session, id).await?;
    let names = resolve::names(session).await?;
    let mut client = InteractionServiceClient::new(session.reader_channel()?);
    let mut request = WatchInteractionRequest { interaction_id: call.interaction_id, after_version: 0 };
    let mut changes = client.watch_interaction(request.clone()).await.or_refusal()?;
    let mut shown = String::new();
    loop {
        let call = match changes.message().await {
            Ok(Some(change)) => change.interaction,
            ended => {
                let open =
                    async |channel| InteractionServiceClient::new(channel).watch_interaction(request.clone()).await;
                changes = watch::again(session, "the watch of the call", ended.err(), open).await?.into_inner();
                None
            }
        };
        let Some(call) = call else { continue };
        request.after_version = call.version;
        let line = view::change_line(&call, &names);
        // Many changes don't show in the line.
        if session.out.is_for_programs() || line != shown {
            session.out.next(INTERACTION, &call, |it| format!("{:>4}  {line}", it.version))?;
            shown = line;
        }
        if call.state() == interaction::State::Ended {
            break;
        }
    }
    Ok(())
}

/// Prints the call after a change that was made in the name of `--as`, or of this agent.
pub(super) async fn print_changed(
    session: &ClientSession,
    agent_id: &str,
    call: Option<Interaction>,
) -> anyhow::Result<()> {
    let call = call.context("the answer is empty")?;
    let names = resolve::names(session).await?;
    let who = session.acting_name(agent_id, &names);
    session.out.one(INTERACTION, &call, |it| view::summary(it, &names, &who))
}
