//! `baton agent`.

use std::fmt::Write as _;

use anyhow::Context as _;
use baton_api::ApiError;
use baton_api::presence::v1::directory_service_client::DirectoryServiceClient;
use baton_api::presence::v1::presence_service_client::PresenceServiceClient;
use baton_api::presence::v1::{
    Agent, AgentState, CreateAgentRequest, GetPresenceRequest, Inbox, ListInboxRequest, ListTargetsRequest,
    PickerTarget, Presence, SetStateRequest, TargetFilter,
};
use baton_runtime::auth::Role;
use baton_runtime::client::{Backoff, GrpcChannel};
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};
use futures::future::try_join_all;
use tonic::Status;

use super::desk::{Desk, News};
use super::refusal::{self, Told};
use super::session::Session;
use super::story::Names;
use super::{resolve, word};
use crate::failure::Usage;

const AGENT: &str = "baton.presence.v1.Agent";
const PRESENCE: &str = "baton.presence.v1.Presence";

/// What can be done with agents.
#[derive(Debug, Subcommand)]
pub(crate) enum AgentCommand {
    /// List all agents.
    List,
    /// Create an agent.
    Create(CreateArgs),
    /// Show an agent and how they are now.
    Show {
        /// Name or id.
        agent: String,
    },
    /// Be there as one or several agents until Ctrl-C, and show what reaches them.
    Connect {
        /// Names or ids.
        #[arg(required = true)]
        agents: Vec<String>,
        /// The state to be in at once.
        #[arg(long, value_enum, default_value = "available")]
        state: Wish,
    },
    /// Set an agent's state.
    State {
        /// Name or id.
        agent: String,
        /// The state.
        #[arg(value_enum)]
        state: Wish,
        /// Why they are away.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// List whom a customer can be handed to, as a picker shows them.
    Targets(TargetsArgs),
    /// Show what rings at an agent, and what they are in.
    Inbox {
        /// Name or id.
        agent: String,
    },
}

/// What an agent can wish to be.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Wish {
    /// Ready for calls.
    Available,
    /// Not ready.
    Away,
}

impl Wish {
    fn state(self) -> AgentState {
        match self {
            Self::Available => AgentState::Available,
            Self::Away => AgentState::Away,
        }
    }
}

/// What `agent create` takes.
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Display name.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    name: String,
    /// The address of their phone [default: the name in lower case].
    #[arg(long)]
    phone: Option<String>,
    /// E-mail address.
    #[arg(long, default_value = "")]
    email: String,
    /// They have a voicemail box.
    #[arg(long)]
    voicemail: bool,
    /// Id (UUID) [default: a fresh one].
    #[arg(long, default_value = "")]
    id: String,
}

/// What `agent targets` takes.
#[derive(Debug, Args)]
pub(crate) struct TargetsArgs {
    /// Part of a name, e-mail address or team name.
    #[arg(long, default_value = "")]
    search: String,
    /// Only members of this team: name or id.
    #[arg(long)]
    team: Option<String>,
    /// Also those who can't be had now.
    #[arg(long)]
    all: bool,
}

/// Runs it.
pub(crate) async fn run(session: &Session, command: AgentCommand) -> anyhow::Result<()> {
    match command {
        AgentCommand::List => list(session).await,
        AgentCommand::Create(args) => create(session, args).await,
        AgentCommand::Show { agent } => show(session, &agent).await,
        AgentCommand::Connect { agents, state } => connect(session, &agents, state.state()).await,
        AgentCommand::State { agent, state, reason } => set_state(session, &agent, state.state(), reason).await,
        AgentCommand::Targets(args) => targets(session, args).await,
        AgentCommand::Inbox { agent } => inbox(session, &agent).await,
    }
}

async fn list(session: &Session) -> anyhow::Result<()> {
    let agents = resolve::agents(session).await?;
    session.out.list(AGENT, &agents, &["name", "phone", "e-mail", "voicemail", "id"], |it| {
        let voicemail = if it.voicemail { "yes" } else { "no" };
        let email = word::or_dash(&it.email);
        vec![it.name.clone(), it.phone.clone(), email, voicemail.to_owned(), it.agent_id.clone()]
    })
}

async fn create(session: &Session, args: CreateArgs) -> anyhow::Result<()> {
    let CreateArgs { name, phone, email, voicemail, id } = args;
    let made_of = phone.is_none().then(|| name.clone());
    let phone = phone.unwrap_or_else(|| name.to_lowercase().replace(' ', "."));
    let agent = Some(Agent { agent_id: id, name, email, phone, voicemail });
    let request = CreateAgentRequest { request_id: session.request_id(), agent };
    let mut directory = DirectoryServiceClient::new(session.of_role(Role::Admin)?);
    let created = directory.create_agent(request).await.map_err(|status| not_created(&status, made_of.as_deref()))?;
    let agent = created.into_inner().agent.context("the answer is empty")?;
    session.out.one(AGENT, &agent, |it| format!("{} is there now, phone {}, id {}", it.name, it.phone, it.agent_id))
}

/// Why there is no such agent now. Nobody is blamed for a phone that they did not give: it was made of the name.
fn not_created(status: &Status, made_of: Option<&str>) -> anyhow::Error {
    let is_phone = || ApiError::of(status).fields.iter().any(|(field, _)| field == "agent.phone");
    match made_of {
        Some(name) if is_phone() => {
            let message = format!("no phone's address can be made of the name {name:?}; give one with --phone");
            Usage::new(message).into()
        }
        _ => refusal::of(status),
    }
}

async fn show(session: &Session, name: &str) -> anyhow::Result<()> {
    let agent = resolve::agent(session, name).await?;
    let request = GetPresenceRequest { agent_id: agent.agent_id.clone() };
    let mut client = PresenceServiceClient::new(session.of_role(Role::Supervisor)?);
    let presence = client.get_presence(request).await.told()?.presence.context("the answer is empty")?;
    session.out.one(PRESENCE, &presence, |it| {
        let email = word::or_dash(&agent.email);
        let is = how(it);
        format!(
            "{}\n  is      {is}\n  phone   {}\n  e-mail  {email}\n  id      {}",
            agent.name, agent.phone, agent.agent_id
        )
    })
}

/// How somebody is, in a few words.
fn how(presence: &Presence) -> String {
    let mut text = word::agent_state(presence.state).replace('_', " ");
    if !presence.away_reason.is_empty() {
        let _ = write!(text, " ({})", presence.away_reason);
    }
    if presence.engaged {
        text.push_str(", in a call");
    } else if presence.reserved {
        text.push_str(", reserved");
    }
    text
}

async fn connect(session: &Session, names: &[String], state: AgentState) -> anyhow::Result<()> {
    let mut agents = Vec::with_capacity(names.len());
    for name in names {
        agents.push(resolve::agent(session, name).await?);
    }
    for agent in &agents {
        channel_of(session, agent).await?;
    }
    let sessions = agents.iter().map(|agent| sit(session, agent, state));
    try_join_all(sessions).await.map(|_| ())
}

/// A connection in this agent's name. A token, or `--as`, may be somebody else's: what is done with it is done as them, and
/// must not be told as this agent's.
async fn channel_of(session: &Session, agent: &Agent) -> anyhow::Result<GrpcChannel> {
    let channel = session.of_agent(&agent.agent_id)?;
    let mine = GetPresenceRequest { agent_id: String::new() };
    let acting = match PresenceServiceClient::new(channel.clone()).get_presence(mine).await {
        Err(status) if resolve::is_not_found(&status) => String::new(),
        own => own.told()?.presence.unwrap_or_default().agent_id,
    };
    if acting != agent.agent_id {
        return Err(somebody_else(&agent.name, &acting, &resolve::names(session).await?).into());
    }
    Ok(channel)
}

fn somebody_else(name: &str, acting: &str, names: &Names) -> Usage {
    let acting = if acting.is_empty() { "no agent".to_owned() } else { names.of(acting) };
    Usage::new(format!("with this token or --as you act as {acting}, not as {name}"))
}

/// One agent who is there until Ctrl-C. A connection that breaks is made again: the session lives by its lease.
async fn sit(session: &Session, agent: &Agent, state: AgentState) -> anyhow::Result<()> {
    let mut wish = state;
    let mut failures = 0;
    loop {
        let opening = Desk::open(session.of_agent(&agent.agent_id)?, session.clock.clone(), wish);
        let opened = tokio::select! {
            interrupted = tokio::signal::ctrl_c() => return interrupted.context("listening for Ctrl-C"),
            opened = opening => opened,
        };
        let mut desk = match opened {
            Ok(desk) => Some(desk),
            Err(status) if failures > 0 && ApiError::of(&status).is_retryable() => None,
            Err(status) => return Err(refusal::of(&status)),
        };
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => {
                interrupted.context("listening for Ctrl-C")?;
                if let Some(desk) = desk {
                    desk.goodbye().await;
                }
                session.out.note(&format!("{} has left.", agent.name));
                return Ok(());
            }
            ended = listen(session, agent, desk.as_mut()) => {
                if ended? {
                    failures = 0;
                    session.out.note(&format!("{}'s connection is lost; connecting again.", agent.name));
                }
            }
        }
        // What they chose meanwhile stays as it is.
        wish = AgentState::Unspecified;
        failures += 1;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => return interrupted.context("listening for Ctrl-C"),
            () = session.clock.sleep(Backoff::default().pause(failures)) => {}
        }
    }
}

/// Tells what reaches an agent until the connection ends; whether there was one.
async fn listen(session: &Session, agent: &Agent, desk: Option<&mut Desk>) -> anyhow::Result<bool> {
    let Some(desk) = desk else { return Ok(false) };
    while let Ok(Some(news)) = desk.next().await {
        tell(session, agent, &news)?;
    }
    Ok(true)
}

fn tell(session: &Session, agent: &Agent, news: &News) -> anyhow::Result<()> {
    match news {
        News::Presence(presence) => {
            session.out.next(PRESENCE, presence, |it| format!("{} is {}.", agent.name, how(it)))
        }
        News::Inbox(inbox) => {
            session.out.next("baton.presence.v1.Inbox", inbox, |it| format!("{}'s inbox: {}", agent.name, items(it)))
        }
    }
}

fn items(inbox: &Inbox) -> String {
    let item = |it: &baton_api::presence::v1::InboxItem| {
        let from = if it.from_name.is_empty() { String::new() } else { format!(" from {}", it.from_name) };
        let kind = word::transfer_kind(it.kind);
        let what = if kind.is_empty() { "call".to_owned() } else { format!("{kind} transfer{from}") };
        let how = if it.offered { "rings" } else { "in it" };
        let message =
            if it.message.is_empty() { String::new() } else { format!(", \"{}\"", word::one_line(&it.message)) };
        format!("{what} of {} ({how}{message})", word::one_line(&it.customer))
    };
    match inbox.active.as_slice() {
        [] => "empty".to_owned(),
        active => active.iter().map(item).collect::<Vec<_>>().join("; "),
    }
}

async fn set_state(session: &Session, name: &str, state: AgentState, away_reason: String) -> anyhow::Result<()> {
    let agent = resolve::agent(session, name).await?;
    let request = SetStateRequest { request_id: session.request_id(), state: state.into(), away_reason };
    let mut client = PresenceServiceClient::new(channel_of(session, &agent).await?);
    let presence = client.set_state(request).await.told()?.presence.context("the answer is empty")?;
    session.out.one(PRESENCE, &presence, |it| format!("{} is {}.", agent.name, how(it)))
}

async fn targets(session: &Session, args: TargetsArgs) -> anyhow::Result<()> {
    let team_id = match &args.team {
        Some(team) => resolve::team(session, team).await?.team_id,
        None => String::new(),
    };
    let filter = TargetFilter { search: args.search, team_id, include_unavailable: args.all };
    let request = ListTargetsRequest { filter: Some(filter), page_size: resolve::PAGE, page_token: String::new() };
    let mut client = PresenceServiceClient::new(session.of_role(Role::Supervisor)?);
    let targets = client.list_targets(request).await.told()?.targets;
    session.out.list("baton.presence.v1.PickerTarget", &targets, &["target", "can be had", "is"], target_row)
}

fn target_row(target: &PickerTarget) -> Vec<String> {
    let available = if target.available { "yes" } else { "no" };
    let (name, is) = match &target.presence {
        Some(presence) => (target.name.clone(), how(presence)),
        None => (format!("team {}", target.name), format!("{} available", target.available_agents)),
    };
    vec![name, available.to_owned(), is]
}

async fn inbox(session: &Session, name: &str) -> anyhow::Result<()> {
    let agent = resolve::agent(session, name).await?;
    let mut client = PresenceServiceClient::new(channel_of(session, &agent).await?);
    let inbox = client.list_inbox(ListInboxRequest {}).await.told()?.inbox.unwrap_or_default();
    session.out.one("baton.presence.v1.Inbox", &inbox, |it| format!("{}'s inbox: {}", agent.name, items(it)))
}

#[cfg(test)]
mod tests {
    use baton_api::presence::v1::InboxItem;

    use super::*;

    #[test]
    fn a_phone_that_nobody_gave_is_not_blamed() {
        let status =
            Status::from(ApiError::invalid_argument("agent.phone", "must be 1 to 64 characters of a-z 0-9 . _ -"));
        let made = not_created(&status, Some("Émile"));
        assert!(made.is::<Usage>() && made.to_string().contains("\"Émile\"; give one with --phone"), "{made}");
        assert!(not_created(&status, None).to_string().contains("agent.phone"));
        let status = Status::from(ApiError::invalid_argument("agent.name", "must not be empty"));
        assert!(not_created(&status, Some(" ")).to_string().contains("agent.name"));
    }

    #[test]
    fn who_acts_as_somebody_else_is_told_as_whom() {
        let names: Names = [("a".to_owned(), "Ada".to_owned())].into_iter().collect();
        assert!(somebody_else("Ben", "a", &names).to_string().ends_with("you act as Ada, not as Ben"));
        assert!(somebody_else("Ben", "", &names).to_string().ends_with("you act as no agent, not as Ben"));
    }

    #[test]
    fn a_message_forges_no_line_of_the_inbox() {
        let item = InboxItem { message: "hi\nBen's inbox: empty".to_owned(), ..InboxItem::default() };
        assert!(items(&Inbox { active: vec![item] }).contains("\"hi / Ben's inbox: empty\""));
    }
}
