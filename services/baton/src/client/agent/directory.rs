//! Creating, changing and deleting agents.

use anyhow::Context as _;
use baton_api::ApiError;
use baton_api::common::v1::Skill;
use baton_api::presence::v1::directory_service_client::DirectoryServiceClient;
use baton_api::presence::v1::{Agent, Capacity, CreateAgentRequest, DeleteAgentRequest, UpdateAgentRequest};
use baton_runtime::auth::Role;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use prost_types::FieldMask;
use tonic::Status;

use super::AGENT;
use crate::client::refusal::{self, OrRefusal};
use crate::client::session::ClientSession;
use crate::client::{output, phone, queue, resolve, voicemail};
use crate::failure::UsageError;

#[derive(Debug, Args)]
pub(crate) struct AgentCreateArgs {
    /// Display name.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    name: String,
    /// The address of their phone [default: the name in lower case].
    #[arg(long)]
    phone: Option<String>,
    /// E-mail address.
    #[arg(long, default_value = "", hide_default_value = true)]
    email: String,
    /// They have a voicemail box.
    #[arg(long)]
    voicemail: bool,
    #[command(flatten)]
    capacity: CapacityArgs,
    /// A skill and its level, 1 to 10: french=7. May be given several times.
    #[arg(long = "skill", value_name = "NAME=LEVEL", value_parser = queue::skill)]
    skills: Vec<Skill>,
    /// The site at which they work: name or id.
    #[arg(long)]
    site: Option<String>,
    /// Id (UUID) [default: a fresh one].
    #[arg(long, default_value = "", hide_default_value = true)]
    id: String,
}

#[derive(Debug, Args)]
pub(crate) struct AgentUpdateArgs {
    /// Name or id.
    agent: String,
    /// Another display name.
    #[arg(long)]
    name: Option<String>,
    /// Another address of their phone.
    #[arg(long)]
    phone: Option<String>,
    /// Another e-mail address; "" for none.
    #[arg(long)]
    email: Option<String>,
    /// Whether they have a voicemail box.
    #[arg(long, value_name = "YES|NO", value_parser = yes_or_no)]
    voicemail: Option<bool>,
    #[command(flatten)]
    capacity: CapacityArgs,
    /// A skill and its level, 1 to 10: french=7; 0 takes it away. May be given several times; the others stay.
    #[arg(long = "skill", value_name = "NAME=LEVEL", value_parser = queue::skill)]
    skills: Vec<Skill>,
    /// Another site at which they work: name or id; "" for none.
    #[arg(long)]
    site: Option<String>,
}

/// How many interactions of a medium they may have at once.
#[derive(Debug, Clone, Copy, Args)]
struct CapacityArgs {
    /// How many calls they may have at once: 0 or 1.
    #[arg(long, value_name = "NUMBER")]
    calls: Option<u32>,
    /// How many chats they may have at once: 0 to 20.
    #[arg(long, value_name = "NUMBER")]
    chats: Option<u32>,
    /// How many video calls they may have at once: 0 or 1.
    #[arg(long, value_name = "NUMBER")]
    video_calls: Option<u32>,
}

/// An agent's capacity where none is given.
const USUAL: Capacity = Capacity { voice: 1, chat: 3, video: 1 };

impl CapacityArgs {
    /// None of it given: the capacity stays, or is the usual one.
    fn over(self, before: Capacity) -> Option<Capacity> {
        let Self { calls, chats, video_calls } = self;
        (calls.is_some() || chats.is_some() || video_calls.is_some()).then(|| Capacity {
            voice: calls.unwrap_or(before.voice),
            chat: chats.unwrap_or(before.chat),
            video: video_calls.unwrap_or(before.video),
        })
    }
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("write yes or no".to_owned()),
    }
}

pub(super) async fn create(session: &ClientSession, args: AgentCreateArgs) -> anyhow::Result<()> {
    let site_id = site_id(session, args.site.as_deref()).await?.unwrap_or_default();
    let AgentCreateArgs { name, phone, email, voicemail, capacity, skills, id, .. } = args;
    let derived_from = phone.is_none().then(|| name.clone());
    let phone = phone.unwrap_or_else(|| name.to_lowercase().replace(' ', "."));
    let capacity = capacity.over(USUAL);
    let agent = Agent { agent_id: id, name, email, phone, voicemail, skills, capacity, site_id, ..Agent::default() };
    let agent = Some(agent);
    let request = CreateAgentRequest { request_id: session.request_id(), agent };
    let mut directory = DirectoryServiceClient::new(session.channel_for_role(Role::Admin)?);
    let created =
        directory.create_agent(request).await.map_err(|status| not_created(&status, derived_from.as_deref()))?;
    let agent = created.into_inner().agent.context("the answer is empty")?;
    print_stored(session, &agent, "is there now")?;
    warn(session, &agent).await
}

pub(super) async fn update(session: &ClientSession, args: AgentUpdateArgs) -> anyhow::Result<()> {
    let is_given = [args.name.is_some(), args.phone.is_some(), args.email.is_some(), args.voicemail.is_some()];
    let others = [args.site.is_some(), args.capacity.over(USUAL).is_some(), !args.skills.is_empty()];
    if !is_given.contains(&true) && !others.contains(&true) {
        let what = "say what is to change: --name, --phone, --email, --voicemail, --site, --skill, --calls, --chats or --video-calls";
        return Err(UsageError::new(what).into());
    }
    let site_id = site_id(session, args.site.as_deref()).await?;
    let agent = resolve::agent(session, &args.agent).await?;
    let names_changed = args.name.is_some() || args.phone.is_some();
    let request = update_request(session.request_id(), agent, args, site_id);
    let mut directory = DirectoryServiceClient::new(session.channel_for_role(Role::Admin)?);
    let updated = directory.update_agent(request).await.or_refusal()?;
    let agent = updated.agent.context("the answer is empty")?;
    print_stored(session, &agent, "is changed")?;
    if names_changed { warn(session, &agent).await } else { Ok(()) }
}

/// The skills that an agent has afterwards.
fn merged(has: &[Skill], given: &[Skill]) -> Vec<Skill> {
    let kept = has.iter().filter(|has| !given.iter().any(|it| it.name == has.name));
    kept.chain(given.iter().filter(|it| it.level != 0)).cloned().collect()
}

/// Names what is given, and gives no etag unless a part of the capacity or of the skills changes: whatever else was changed meanwhile stays.
fn update_request(
    request_id: String,
    before: Agent,
    args: AgentUpdateArgs,
    site_id: Option<String>,
) -> UpdateAgentRequest {
    let capacity = args.capacity.over(before.capacity.unwrap_or(USUAL));
    let skills = merged(&before.skills, &args.skills);
    let given = [
        ("name", args.name.is_some()),
        ("phone", args.phone.is_some()),
        ("email", args.email.is_some()),
        ("voicemail", args.voicemail.is_some()),
        ("capacity", capacity.is_some()),
        ("skills", !args.skills.is_empty()),
        ("site_id", site_id.is_some()),
    ];
    let paths = given.into_iter().filter(|it| it.1).map(|it| it.0.to_owned()).collect();
    let agent = Agent {
        agent_id: before.agent_id,
        name: args.name.unwrap_or_default(),
        phone: args.phone.unwrap_or_default(),
        email: args.email.unwrap_or_default(),
        voicemail: args.voicemail.unwrap_or_default(),
        etag: if capacity.is_some() || !args.skills.is_empty() { before.etag } else { String::new() },
        capacity,
        skills,
        site_id: site_id.unwrap_or_default(),
    };
    UpdateAgentRequest { request_id, agent: Some(agent), update_mask: Some(FieldMask { paths }) }
}

/// The id of the site that is named; empty for "", which is none.
async fn site_id(session: &ClientSession, site: Option<&str>) -> anyhow::Result<Option<String>> {
    Ok(match site {
        None => None,
        Some("") => Some(String::new()),
        Some(site) => Some(resolve::site(session, site).await?.site_id),
    })
}

pub(super) async fn delete(session: &ClientSession, name: &str) -> anyhow::Result<()> {
    let agent = resolve::agent(session, name).await?;
    let unheard = voicemail::unheard(session, &agent.agent_id).await;
    let request = DeleteAgentRequest { request_id: session.request_id(), agent_id: agent.agent_id.clone() };
    let mut directory = DirectoryServiceClient::new(session.channel_for_role(Role::Admin)?);
    let deleted = directory.delete_agent(request).await.or_refusal()?;
    let text = format!("The agent {} is gone.", agent.name);
    session.out.one("baton.presence.v1.DeleteAgentResponse", &deleted, |_| text)?;
    if unheard > 0 {
        output::diagnostic(&left_behind(&agent, unheard));
    }
    Ok(())
}

/// Nobody's box is looked at by itself.
fn left_behind(agent: &Agent, unheard: usize) -> String {
    let messages =
        if unheard == 1 { "1 voicemail message".to_owned() } else { format!("{unheard} voicemail messages") };
    format!(
        "{messages} in {}'s box nobody has heard yet: `baton voicemail list --unheard --box {}` lists what is there.",
        agent.name, agent.agent_id
    )
}

fn print_stored(session: &ClientSession, agent: &Agent, how: &str) -> anyhow::Result<()> {
    session.out.one(AGENT, agent, |it| {
        let voicemail = if it.voicemail { "" } else { "no " };
        let Capacity { voice, chat, .. } = it.capacity.unwrap_or(USUAL);
        format!(
            "{} {how}, phone {}, {voicemail}voicemail, calls {voice}, chats {chat}, id {}",
            it.name, it.phone, it.agent_id
        )
    })
}

/// Warns of what is allowed, and is a mistake as a rule.
async fn warn(session: &ClientSession, agent: &Agent) -> anyhow::Result<()> {
    for warning in duplicates(agent, &resolve::agents(session).await.unwrap_or_default()) {
        output::diagnostic(&warning);
    }
    let address = &agent.phone;
    if phone::exists(session, address).await? == Some(false) {
        let hint = format!("The simulated switch has no phone {address} yet; `baton phone put {address}` makes it.");
        output::diagnostic(&hint);
    }
    Ok(())
}

/// A warning for a name or a phone that another agent has, too.
fn duplicates(agent: &Agent, all: &[Agent]) -> Vec<String> {
    let mut others = all.iter().filter(|it| it.agent_id != agent.agent_id);
    let mut warnings = Vec::new();
    if let Some(other) = others.clone().find(|it| it.name.to_lowercase() == agent.name.to_lowercase()) {
        warnings.push(format!("There is another {}, id {}; name either by the id.", other.name, other.agent_id));
    }
    if let Some(other) = others.find(|it| it.phone == agent.phone) {
        warnings.push(format!("{} has the phone {}, too: it rings for both.", other.name, other.phone));
    }
    warnings
}

/// The refusal. If the phone was derived from the name `derived_from`, the message is about the name and not about the phone.
fn not_created(status: &Status, derived_from: Option<&str>) -> anyhow::Error {
    let is_phone = || ApiError::of(status).fields.iter().any(|(field, _)| field == "agent.phone");
    match derived_from {
        Some(name) if is_phone() => {
            let message = format!("no phone's address can be made of the name {name:?}; give one with --phone");
            UsageError::new(message).into()
        }
        _ => refusal::of(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOT_SAID: CapacityArgs = CapacityArgs { calls: None, chats: None, video_calls: None };

    #[test]
    fn a_name_or_a_phone_that_another_agent_has_is_mentioned() {
        let agent = |id: &str, name: &str, phone: &str| Agent {
            agent_id: id.to_owned(),
            name: name.to_owned(),
            phone: phone.to_owned(),
            ..Agent::default()
        };
        let (new, all) = (agent("3", "ada", "ada"), [agent("1", "Ada", "x"), agent("2", "Ben", "ada")]);
        let warnings = duplicates(&new, &all);
        assert!(warnings[0].contains("another Ada, id 1") && warnings[1].contains("Ben has the phone ada"));
        assert!(duplicates(&all[0], &all).is_empty());
    }

    #[test]
    fn an_update_names_what_is_given_and_nothing_else() {
        let args = AgentUpdateArgs {
            agent: "Ada".to_owned(),
            name: None,
            phone: None,
            email: Some(String::new()),
            voicemail: Some(false),
            capacity: NOT_SAID,
            skills: vec![],
            site: Some(String::new()),
        };
        let request = update_request("1".to_owned(), Agent::default(), args, Some(String::new()));
        assert_eq!(request.update_mask.unwrap().paths, ["email", "voicemail", "site_id"]);
    }

    #[test]
    fn of_the_capacity_only_what_is_said_changes_and_with_the_etag_that_was_read() {
        let capacity = CapacityArgs { chats: Some(5), ..NOT_SAID };
        let args = AgentUpdateArgs {
            agent: "Ada".to_owned(),
            name: None,
            phone: None,
            email: None,
            voicemail: None,
            capacity,
            skills: vec![],
            site: None,
        };
        let before = Capacity { voice: 0, chat: 2, video: 1 };
        let before = Agent { capacity: Some(before), etag: "as read".to_owned(), ..Agent::default() };
        let request = update_request("1".to_owned(), before, args, None);
        let agent = request.agent.unwrap();
        assert_eq!(request.update_mask.unwrap().paths, ["capacity"]);
        assert_eq!((agent.capacity, &*agent.etag), (Some(Capacity { voice: 0, chat: 5, video: 1 }), "as read"));
        assert_eq!(NOT_SAID.over(USUAL), None);
    }

    #[test]
    fn a_skill_that_is_given_is_set_or_taken_away_and_the_others_stay() {
        let skill = |name: &str, level| Skill { name: name.to_owned(), level };
        let has = [skill("dutch", 3), skill("french", 5)];
        assert_eq!(merged(&has, &[skill("french", 7)]), [skill("dutch", 3), skill("french", 7)]);
        assert_eq!(merged(&has, &[skill("dutch", 0)]), [skill("french", 5)]);
    }

    #[test]
    fn a_bad_derived_phone_is_reported_as_a_bad_name() {
        let status =
            Status::from(ApiError::invalid_argument("agent.phone", "must be 1 to 64 characters of a-z 0-9 . _ -"));
        let made = not_created(&status, Some("Émile"));
        assert!(made.is::<UsageError>() && made.to_string().contains("\"Émile\"; give one with --phone"), "{made}");
        assert!(not_created(&status, None).to_string().contains("agent.phone"));
        let status = Status::from(ApiError::invalid_argument("agent.name", "must not be empty"));
        assert!(not_created(&status, Some(" ")).to_string().contains("agent.name"));
    }
}
