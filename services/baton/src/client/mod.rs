//! The client commands: one file a noun, each a thin layer over the public gRPC API that any other program uses, too.
//!
//! What they share: [`session`] (where, and in whose name), [`resolve`] (names and short ids), [`output`] (tables for
//! people, JSON for programs), [`refusal`] (errors that say what to do).

pub(crate) mod agent;
pub(crate) mod call;
pub(crate) mod desk;
pub(crate) mod events;
pub(crate) mod flow;
mod json;
pub(crate) mod number;
pub(crate) mod output;
pub(crate) mod phone;
pub(crate) mod policy;
pub(crate) mod recording;
pub(crate) mod refusal;
mod resolve;
pub(crate) mod session;
pub(crate) mod story;
pub(crate) mod team;
pub(crate) mod token;
pub(crate) mod transfer;
mod view;
pub(crate) mod word;

use clap::{Args, Subcommand};

use session::{Session, SessionArgs};

/// A noun with what can be done to it.
#[derive(Debug, Args)]
pub(crate) struct Noun<C: Subcommand> {
    #[command(flatten)]
    session: SessionArgs,
    #[command(subcommand)]
    command: C,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Agents: who there is, who can be had, and taking calls as one.
    Agent(Noun<agent::AgentCommand>),
    /// Teams of agents.
    Team(Noun<team::TeamCommand>),
    /// Numbers that customers call.
    Number(Noun<number::NumberCommand>),
    /// Call flows: what happens to a call.
    Flow(Noun<flow::FlowCommand>),
    /// Calls: place, watch and steer them.
    Call(Noun<call::CallCommand>),
    /// Phones on the simulated switch, and what they heard.
    Phone(Noun<phone::PhoneCommand>),
    /// Transfers: hand a customer over.
    Transfer(Noun<transfer::TransferCommand>),
    /// Recordings, and what is recorded.
    Recording(Noun<recording::RecordingCommand>),
    /// The tenant's transfer policy.
    Policy(Noun<policy::PolicyCommand>),
    /// What happened, as events.
    Events(Noun<events::EventsCommand>),
}

/// Runs a client command.
pub(crate) async fn run(command: ClientCommand) -> anyhow::Result<()> {
    match command {
        ClientCommand::Agent(it) => perform(it, agent::run).await,
        ClientCommand::Team(it) => perform(it, team::run).await,
        ClientCommand::Number(it) => perform(it, number::run).await,
        ClientCommand::Flow(it) => perform(it, flow::run).await,
        ClientCommand::Call(it) => perform(it, call::run).await,
        ClientCommand::Phone(it) => perform(it, phone::run).await,
        ClientCommand::Transfer(it) => perform(it, transfer::run).await,
        ClientCommand::Recording(it) => perform(it, recording::run).await,
        ClientCommand::Policy(it) => perform(it, policy::run).await,
        ClientCommand::Events(it) => perform(it, events::run).await,
    }
}

/// Does it on a session of its own. Where nobody answered, only the session knows.
async fn perform<C: Subcommand>(
    noun: Noun<C>,
    command: impl AsyncFnOnce(&Session, C) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let session = Session::new(noun.session)?;
    let address = session.server().to_owned();
    let done = async {
        let session = acting(session).await?;
        command(&session, noun.command).await
    };
    done.await.map_err(|error| refusal::at(&address, error))
}

/// A session's tokens have an agent's id, and people have names: the id of whoever `--as` names is looked up.
async fn acting(session: Session) -> anyhow::Result<Session> {
    let Some(name) = session.agent_to_find() else { return Ok(session) };
    let agent = resolve::acting_agent(&session, name).await?;
    Ok(session.acting_as(agent.agent_id))
}
