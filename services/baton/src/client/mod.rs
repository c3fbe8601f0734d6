//! The client commands: one file per noun, each a thin layer over the public gRPC API.
//!
//! They share [`session`] (address and credentials), [`resolve`] (names and short ids), [`output`] (tables for people, JSON for
//! programs) and [`refusal`] (errors that say what to do).

pub(crate) mod agent;
pub(crate) mod agent_connection;
pub(crate) mod call;
mod chat;
mod claims;
pub(crate) mod context;
pub(crate) mod customer;
mod destination;
pub(crate) mod event_text;
pub(crate) mod events;
pub(crate) mod flow;
pub(crate) mod ivr;
pub(crate) mod json;
pub(crate) mod number;
pub(crate) mod output;
pub(crate) mod phone;
pub(crate) mod policy;
mod queue;
mod rebuild;
pub(crate) mod recording;
pub(crate) mod refusal;
mod resolve;
pub(crate) mod session;
pub(crate) mod site;
mod table;
pub(crate) mod team;
pub(crate) mod tenant;
mod terminal;
pub(crate) mod token;
pub(crate) mod transfer;
mod view;
mod voicemail;
mod watch;
pub(crate) mod word;
mod yaml;

use clap::{Args, Subcommand};

use events::EventsCommand;
use policy::PolicyCommand;
use session::{ClientSession, SessionArgs};

use crate::event_stream;
use crate::policy_check;

/// A noun's command with the options of the connection.
#[derive(Debug, Args)]
pub(crate) struct WithSession<C: Subcommand> {
    #[command(flatten)]
    session: SessionArgs,
    #[command(subcommand)]
    command: C,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Agents: who there is, who can be had, and taking calls as one.
    Agent(WithSession<agent::AgentCommand>),
    /// Teams of agents.
    Team(WithSession<team::TeamCommand>),
    /// Queues: customers who wait for whoever has the skills.
    Queue(WithSession<queue::QueueCommand>),
    /// Sites: places where agents work.
    Site(WithSession<site::SiteCommand>),
    /// Numbers that customers call.
    Number(WithSession<number::NumberCommand>),
    /// Call flows: what happens to a call.
    Flow(WithSession<flow::FlowCommand>),
    /// IVR flows: what customers go through without an agent.
    Ivr(WithSession<ivr::IvrCommand>),
    /// Calls: place, watch and steer them.
    Call(WithSession<call::CallCommand>),
    /// Chats: what agents and visitors write.
    Chat(WithSession<chat::ChatCommand>),
    /// Customers: forget one.
    Customer(WithSession<customer::CustomerCommand>),
    /// Phones on the simulated switch, and what they heard.
    Phone(WithSession<phone::PhoneCommand>),
    /// Transfers: hand a customer over.
    Transfer(WithSession<transfer::TransferCommand>),
    /// Recordings, and what is recorded.
    Recording(WithSession<recording::RecordingSubcommand>),
    /// Voicemail: the messages that customers left.
    Voicemail(WithSession<voicemail::VoicemailCommand>),
    /// The tenant's transfer policy.
    Policy(WithSession<policy::PolicyCommand>),
    /// Tenants and their plans, for whoever runs this Baton.
    Tenant(WithSession<tenant::TenantCommand>),
    /// What happened, as events.
    Events(WithSession<EventsCommand>),
    /// Contexts: named sets of server, tenant, token and data folder.
    Context(context::ContextArgs),
}

pub(crate) async fn run(command: ClientCommand) -> anyhow::Result<()> {
    match command {
        ClientCommand::Agent(it) => run_with_session(it, agent::run).await,
        ClientCommand::Team(it) => run_with_session(it, team::run).await,
        ClientCommand::Queue(it) => run_with_session(it, queue::run).await,
        ClientCommand::Site(it) => run_with_session(it, site::run).await,
        ClientCommand::Number(it) => run_with_session(it, number::run).await,
        ClientCommand::Flow(it) => run_with_session(it, flow::run).await,
        ClientCommand::Ivr(it) => run_with_session(it, ivr::run).await,
        ClientCommand::Call(it) => run_with_session(it, call::run).await,
        ClientCommand::Chat(it) => run_with_session(it, chat::run).await,
        ClientCommand::Customer(it) => run_with_session(it, customer::run).await,
        ClientCommand::Phone(it) => run_with_session(it, phone::run).await,
        ClientCommand::Transfer(it) => run_with_session(it, transfer::run).await,
        ClientCommand::Recording(it) => run_with_session(it, recording::run).await,
        ClientCommand::Voicemail(it) => run_with_session(it, voicemail::run).await,
        ClientCommand::Policy(WithSession { session, command }) => match command {
            PolicyCommand::Tenants(command) => run_with_session(WithSession { session, command }, policy::run).await,
            PolicyCommand::Check(args) => policy_check::run(args, session.output()).await,
        },
        ClientCommand::Tenant(it) => run_with_session(it, tenant::run).await,
        ClientCommand::Events(WithSession { session, command }) => match command {
            EventsCommand::Read(command) => run_with_session(WithSession { session, command }, events::run).await,
            EventsCommand::Republish(args) => event_stream::republish(args).await,
            EventsCommand::NewEpoch(args) => event_stream::new_epoch(args).await,
        },
        ClientCommand::Context(it) => context::run(it),
    }
}

/// Runs a command on a session of its own; an error without an answer gets the session's address.
async fn run_with_session<C: Subcommand>(
    args: WithSession<C>,
    command: impl AsyncFnOnce(&ClientSession, C) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let session = ClientSession::new(args.session)?;
    let address = session.server().to_owned();
    let done = async {
        let session = with_agent_id(session).await?;
        command(&session, args.command).await
    };
    done.await.map_err(|error| refusal::at(&address, error))
}

/// Replaces the agent's name of `--as` by the id, which is what a token's subject is.
async fn with_agent_id(session: ClientSession) -> anyhow::Result<ClientSession> {
    let Some(name) = session.agent_name_to_resolve() else { return Ok(session) };
    let agent = resolve::acting_agent(&session, name).await?;
    Ok(session.acting_as(agent.agent_id)?)
}
