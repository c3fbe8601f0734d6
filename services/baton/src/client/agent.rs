//! `baton agent`.

mod connect;
mod directory;

use std::fmt::Write as _;

use anyhow::Context as _;
use baton_api::common::v1::Customer;
use baton_api::picker;
use baton_api::presence::v1::presence_service_client::PresenceServiceClient;
use baton_api::presence::v1::{
    Agent, AgentState, GetPresenceRequest, Inbox, ListInboxRequest, ListTargetsRequest, PickerTarget, Presence,
    SetStateRequest, TargetFilter, TargetOrder, engagement,
};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use self::directory::{AgentCreateArgs, AgentUpdateArgs};
use super::output::Column;
use super::refusal::OrRefusal;
use super::session::ClientSession;
use super::{json, output, resolve, watch, word};

const AGENT: &str = "baton.presence.v1.Agent";
const PRESENCE: &str = "baton.presence.v1.Presence";
const INBOX: &str = "baton.presence.v1.Inbox";

#[derive(Debug, Subcommand)]
pub(crate) enum AgentCommand {
    /// List all agents.
    #[command(visible_alias = "ls")]
    List,
    /// Create an agent.
    Create(AgentCreateArgs),
    /// Change an agent; what is not given stays as it is.
    Update(AgentUpdateArgs),
    /// Delete an agent who is offline and in no call. Their voicemail messages stay, and are named if nobody has heard them.
    #[command(visible_alias = "rm")]
    Delete {
        /// Name or id.
        agent: String,
    },
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
        state: AgentStateArg,
    },
    /// Set an agent's state.
    State {
        /// Name or id.
        agent: String,
        /// The state.
        #[arg(value_enum)]
        state: AgentStateArg,
        /// Why they are away.
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
    },
    /// List whom a customer can be handed to, as a picker shows them.
    Targets(AgentTargetsArgs),
    /// Show what rings at an agent, and what they are in.
    Inbox {
        /// Name or id.
        agent: String,
    },
}

/// The states that an agent can request.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum AgentStateArg {
    /// Ready for calls.
    Available,
    /// Not ready.
    Away,
}

impl AgentStateArg {
    fn state(self) -> AgentState {
        match self {
            Self::Available => AgentState::Available,
            Self::Away => AgentState::Away,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct AgentTargetsArgs {
    #[command(flatten)]
    filter: TargetFilterArgs,
    #[command(flatten)]
    watch: watch::WatchArgs,
}

/// Which targets are listed.
#[derive(Debug, Args)]
pub(crate) struct TargetFilterArgs {
    /// Parts of a name, e-mail address or team name, as words.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    search: String,
    /// Only members of this team: name or id.
    #[arg(long)]
    team: Option<String>,
    /// Only agents who work at this site: name or id.
    #[arg(long)]
    site: Option<String>,
    /// Only agents in this state. May be given several times.
    #[arg(long = "state", value_enum, value_name = "STATE")]
    states: Vec<ShownStateArg>,
    /// Who is idle for longest comes first [default: by name].
    #[arg(long)]
    longest_idle: bool,
    /// Also those who can't be had now.
    #[arg(long)]
    all: bool,
}

/// All states that an agent may be in.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ShownStateArg {
    Offline,
    Available,
    Away,
    WrapUp,
    NotResponding,
}

impl ShownStateArg {
    fn state(self) -> AgentState {
        match self {
            Self::Offline => AgentState::Offline,
            Self::Available => AgentState::Available,
            Self::Away => AgentState::Away,
            Self::WrapUp => AgentState::WrapUp,
            Self::NotResponding => AgentState::NotResponding,
        }
    }
}

impl TargetFilterArgs {
    pub(super) async fn resolve(self, session: &ClientSession) -> anyhow::Result<TargetFilter> {
        let team_id = match &self.team {
            Some(team) => resolve::team(session, team).await?.team_id,
            None => String::new(),
        };
        let site_id = match &self.site {
            Some(site) => resolve::site(session, site).await?.site_id,
            None => String::new(),
        };
        let order = if self.longest_idle { TargetOrder::LongestIdle } else { TargetOrder::Unspecified };
        Ok(TargetFilter {
            search: self.search,
            team_id,
            include_unavailable: self.all,
            site_id,
            states: self.states.into_iter().map(|it| it.state().into()).collect(),
            order: order.into(),
        })
    }
}

pub(crate) async fn run(session: &ClientSession, command: AgentCommand) -> anyhow::Result<()> {
    match command {
        AgentCommand::List => list(session).await,
        AgentCommand::Create(args) => directory::create(session, args).await,
        AgentCommand::Update(args) => directory::update(session, args).await,
        AgentCommand::Delete { agent } => directory::delete(session, &agent).await,
        AgentCommand::Show { agent } => show(session, &agent).await,
        AgentCommand::Connect { agents, state } => connect::connect(session, &agents, state.state()).await,
        AgentCommand::State { agent, state, reason } => set_state(session, &agent, state.state(), reason).await,
        AgentCommand::Targets(args) => targets(session, args).await,
        AgentCommand::Inbox { agent } => inbox(session, &agent).await,
    }
}

const AGENTS: [Column; 5] = [
    Column::always("name"),
    Column::always("phone"),
    Column::if_room("voicemail"),
    Column::id("id"),
    Column::if_room("e-mail"),
];

async fn list(session: &ClientSession) -> anyhow::Result<()> {
    let agents = resolve::agents(session).await?;
    session.out.list(AGENT, &agents, &AGENTS, |it| {
        let voicemail = if it.voicemail { "yes" } else { "no" };
        let email = word::or_dash(&it.email);
        vec![it.name.clone(), it.phone.clone(), voicemail.to_owned(), it.agent_id.clone(), email]
    })
}

async fn show(session: &ClientSession, name: &str) -> anyhow::Result<()> {
    let agent = resolve::agent(session, name).await?;
    let request = GetPresenceRequest { agent_id: agent.agent_id.clone() };
    let mut client = PresenceServiceClient::new(session.reader_channel()?);
    let presence = client.get_presence(request).await.or_refusal()?.presence.context("the answer is empty")?;
    session.out.value(&merged(&agent, &presence)?, &agent_text(&agent, &presence))
}

fn agent_text(agent: &Agent, presence: &Presence) -> String {
    let (is, email, name) = (presence_text(presence), word::or_dash(&agent.email), &agent.name);
    let skills: Vec<_> = agent.skills.iter().map(|it| format!("{}={}", it.name, it.level)).collect();
    let skills = if skills.is_empty() { String::new() } else { format!("\n  skills  {}", skills.join(", ")) };
    format!(
        "{name}\n  is      {is}\n  phone   {}\n  e-mail  {email}\n  id      {}{skills}",
        agent.phone, agent.agent_id
    )
}

/// The fields of both messages in one object; they share no field but the agent's id.
fn merged(agent: &Agent, presence: &Presence) -> anyhow::Result<Value> {
    let (mut both, presence) = (json::of(AGENT, agent)?, json::of(PRESENCE, presence)?);
    if let (Value::Object(both), Value::Object(presence)) = (&mut both, presence) {
        both.extend(presence);
    }
    Ok(both)
}

pub(super) fn presence_text(presence: &Presence) -> String {
    let mut text = word::agent_state(presence.state);
    if !presence.away_reason.is_empty() {
        let _ = write!(text, " ({})", presence.away_reason);
    }
    if presence.has(engagement::State::Engaged) {
        text.push_str(", in a call");
    } else if !presence.is_free() {
        text.push_str(", reserved");
    } else if presence.phone_in_use {
        text.push_str(", their phone is in use");
    }
    for due in &presence.disposition_due_interaction_ids {
        let _ = write!(text, ", call {} is to be dispositioned", word::short(due));
    }
    text
}

fn inbox_text(inbox: &Inbox) -> String {
    let item = |it: &baton_api::presence::v1::InboxItem, waits: bool| {
        let from = if it.from_name.is_empty() { String::new() } else { format!(" from {}", it.from_name) };
        let kind = word::transfer_kind(it.kind);
        let what = if kind.is_empty() { "call".to_owned() } else { format!("{kind} transfer{from}") };
        let how = match (waits, it.offered) {
            (true, _) => "waits until they are free",
            (false, true) => "rings",
            (false, false) => "in it",
        };
        let message =
            if it.message.is_empty() { String::new() } else { format!(", \"{}\"", word::one_line(&it.message)) };
        format!("{what} of {} ({how}{message})", word::one_line(Customer::address_of(it.customer.as_ref())))
    };
    let waiting = inbox.waiting.iter().map(|it| item(it, true));
    let all: Vec<_> = inbox.active.iter().map(|it| item(it, false)).chain(waiting).collect();
    if all.is_empty() { "empty".to_owned() } else { all.join("; ") }
}

async fn set_state(session: &ClientSession, name: &str, state: AgentState, away_reason: String) -> anyhow::Result<()> {
    let agent = resolve::agent(session, name).await?;
    let request = SetStateRequest {
        request_id: session.request_id(),
        state: state.into(),
        away_reason,
        agent_id: agent.agent_id.clone(),
    };
    let mut client = PresenceServiceClient::new(session.channel_for_agent(&agent.agent_id)?);
    let presence = client.set_state(request).await.or_refusal()?.presence.context("the answer is empty")?;
    session.out.one(PRESENCE, &presence, |it| format!("{} is {}.", agent.name, presence_text(it)))?;
    if presence.state() == AgentState::Offline {
        let name = &agent.name;
        output::diagnostic(&format!(
            "{name} is not at work: this counts when they come, unless they choose a state then (`baton agent connect` does)."
        ));
    }
    Ok(())
}

async fn targets(session: &ClientSession, args: AgentTargetsArgs) -> anyhow::Result<()> {
    let filter = Some(args.filter.resolve(session).await?);
    watch::list(session, &args.watch, async || {
        let mut client = PresenceServiceClient::new(session.reader_channel()?);
        let targets = resolve::all_pages!(client, list_targets, ListTargetsRequest { filter }, targets)?;
        let targets = picker::targets(targets)?;
        session.out.listed("baton.presence.v1.PickerTarget", &targets, &TARGETS, target_row)
    })
    .await
}

const TARGETS: [Column; 5] = [
    Column::always("target"),
    Column::state("can be had"),
    Column::state("is"),
    Column::if_room("for"),
    Column::if_room("site"),
];

fn target_row(target: &PickerTarget) -> Vec<String> {
    let available =
        if target.available { "yes".to_owned() } else { format!("no, {}", word::obstacle(target.obstacle)) };
    let (name, is) = match &target.presence {
        Some(presence) => (target.name.clone(), presence_text(presence)),
        None => (format!("team {}", target.name), format!("{} available", target.available_agents)),
    };
    vec![name, available, is, word::or_dash(media_text(target)), word::or_dash(&target.site_name)]
}

/// The media for which they can be had.
pub(super) fn media_text(target: &PickerTarget) -> String {
    let free = target.media.iter().filter(|it| it.available);
    let media: Vec<_> = free
        .map(|it| {
            let left = it.capacity.saturating_sub(it.in_use);
            let medium = word::medium(it.medium);
            if it.capacity > 1 { format!("{medium} ({left})") } else { medium }
        })
        .collect();
    media.join(", ")
}

async fn inbox(session: &ClientSession, name: &str) -> anyhow::Result<()> {
    let agent = resolve::agent(session, name).await?;
    let mut client = PresenceServiceClient::new(connect::channel_as(session, &agent).await?);
    let inbox = client.list_inbox(ListInboxRequest {}).await.or_refusal()?.inbox.unwrap_or_default();
    session.out.one(INBOX, &inbox, |it| format!("{}'s inbox: {}", agent.name, inbox_text(it)))
}

#[cfg(test)]
mod tests {
    use baton_api::presence::v1::InboxItem;

    use super::*;

    #[test]
    fn an_agent_is_shown_with_its_directory_entry_and_its_presence() {
        let agent = Agent { agent_id: "a".to_owned(), name: "Ada".to_owned(), ..Agent::default() };
        let presence = Presence { agent_id: "a".to_owned(), state: AgentState::Away.into(), ..Presence::default() };
        let shown = merged(&agent, &presence).unwrap();
        assert_eq!((&shown["name"], &shown["state"]), (&"Ada".into(), &"AGENT_STATE_AWAY".into()));
        assert!(shown["phone"].is_string() && shown["email"].is_string());
    }

    #[test]
    fn what_waits_is_told_from_what_rings() {
        let item =
            |from_name: &str| InboxItem { from_name: from_name.to_owned(), offered: true, ..InboxItem::default() };
        let text = inbox_text(&Inbox { active: vec![item("Ada")], waiting: vec![item("Ben")] });
        assert!(text.contains("(rings); ") && text.ends_with("(waits until they are free)"), "{text}");
    }

    #[test]
    fn a_message_with_line_ends_adds_no_line_to_the_inbox() {
        let item = InboxItem { message: "hi\nBen's inbox: empty".to_owned(), ..InboxItem::default() };
        assert!(inbox_text(&Inbox { active: vec![item], waiting: Vec::new() }).contains("\"hi / Ben's inbox: empty\""));
    }
}
