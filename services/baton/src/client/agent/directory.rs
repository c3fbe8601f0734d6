//! Creating, changing and deleting agents.

use anyhow::Context as _;
use baton_api::ApiError;
use baton_api::presence::v1::directory_service_client::DirectoryServiceClient;
use baton_api::presence::v1::{Agent, CreateAgentRequest, DeleteAgentRequest, UpdateAgentRequest};
use baton_runtime::auth::Role;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use prost_types::FieldMask;
use tonic::Status;

use super::AGENT;
use crate::client::refusal::{self, OrRefusal};
use crate::client::session::ClientSession;
use crate::client::{output, phone, resolve, voicemail};
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
    /// Another site at which they work: name or id; "" for none.
    #[arg(long)]
    site: Option<String>,
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
    let AgentCreateArgs { name, phone, email, voicemail, id, .. } = args;
    let derived_from = phone.is_none().then(|| name.clone());
    let phone = phone.unwrap_or_else(|| name.to_lowercase().replace(' ', "."));
    let agent = Some(Agent { agent_id: id, name, email, phone, voicemail, site_id, ..Agent::default() });
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
    if !is_given.contains(&true) && args.site.is_none() {
        return Err(UsageError::new("say what is to change: --name, --phone, --email, --voicemail or --site").into());
    }
    let site_id = site_id(session, args.site.as_deref()).await?;
    let agent = resolve::agent(session, &args.agent).await?;
    let names_changed = args.name.is_some() || args.phone.is_some();
    let request = update_request(session.request_id(), agent.agent_id, args, site_id);
    let mut directory = DirectoryServiceClient::new(session.channel_for_role(Role::Admin)?);
    let updated = directory.update_agent(request).await.or_refusal()?;
    let agent = updated.agent.context("the answer is empty")?;
    print_stored(session, &agent, "is changed")?;
    if names_changed { warn(session, &agent).await } else { Ok(()) }
}

/// Names what is given, and gives no etag: whatever else was changed meanwhile stays.
fn update_request(
    request_id: String,
    agent_id: String,
    args: AgentUpdateArgs,
    site_id: Option<String>,
) -> UpdateAgentRequest {
    let given = [
        ("name", args.name.is_some()),
        ("phone", args.phone.is_some()),
        ("email", args.email.is_some()),
        ("voicemail", args.voicemail.is_some()),
        ("site_id", site_id.is_some()),
    ];
    let paths = given.into_iter().filter(|it| it.1).map(|it| it.0.to_owned()).collect();
    let agent = Agent {
        agent_id,
        name: args.name.unwrap_or_default(),
        phone: args.phone.unwrap_or_default(),
        email: args.email.unwrap_or_default(),
        voicemail: args.voicemail.unwrap_or_default(),
        site_id: site_id.unwrap_or_default(),
        ..Agent::default()
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
        format!("{} {how}, phone {}, {voicemail}voicemail, id {}", it.name, it.phone, it.agent_id)
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
            site: Some(String::new()),
        };
        let request = update_request("1".to_owned(), "a".to_owned(), args, Some(String::new()));
        assert_eq!(request.update_mask.unwrap().paths, ["email", "voicemail", "site_id"]);
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
