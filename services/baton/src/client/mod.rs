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
        ClientCommand::Agent(it) => agent::run(&open(it.session).await?, it.command).await,
        ClientCommand::Team(it) => team::run(&open(it.session).await?, it.command).await,
        ClientCommand::Number(it) => number::run(&open(it.session).await?, it.command).await,
        ClientCommand::Flow(it) => flow::run(&open(it.session).await?, it.command).await,
        ClientCommand::Call(it) => call::run(&open(it.session).await?, it.command).await,
        ClientCommand::Phone(it) => phone::run(&open(it.session).await?, it.command).await,
        ClientCommand::Transfer(it) => transfer::run(&open(it.session).await?, it.command).await,
        ClientCommand::Recording(it) => recording::run(&open(it.session).await?, it.command).await,
        ClientCommand::Policy(it) => policy::run(&open(it.session).await?, it.command).await,
        ClientCommand::Events(it) => events::run(&open(it.session).await?, it.command).await,
    }
}

/// A session. Its tokens have an agent's id, and people have names: the id of whoever `--as` names is looked up.
async fn open(args: SessionArgs) -> anyhow::Result<Session> {
    let session = Session::new(args)?;
    let Some(name) = session.agent_to_find() else { return Ok(session) };
    let agent = resolve::agent(&session, name).await?;
    Ok(session.acting_as(agent.agent_id))
}
