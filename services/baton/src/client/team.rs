//! `baton team`.

use anyhow::Context as _;
use baton_api::presence::v1::directory_service_client::DirectoryServiceClient;
use baton_api::presence::v1::{
    AddTeamMembersRequest, CreateTeamRequest, DeleteTeamRequest, RemoveTeamMembersRequest, Team, UpdateTeamRequest,
};
use baton_runtime::auth::Role;
use clap::{Args, Subcommand};
use prost_types::FieldMask;

use super::event_text::Names;
use super::output::Column;
use super::refusal::OrRefusal;
use super::session::ClientSession;
use super::{output, resolve, word};
use crate::failure::UsageError;

const TEAM: &str = "baton.presence.v1.Team";

#[derive(Debug, Subcommand)]
pub(crate) enum TeamCommand {
    /// List all teams.
    #[command(visible_alias = "ls")]
    List,
    /// Create a team.
    Create {
        /// Display name.
        name: String,
        /// A member: name or id. May be given several times.
        #[arg(long = "member", value_name = "AGENT")]
        members: Vec<String>,
    },
    /// Rename a team, or change who is in it; what is not given stays as it is.
    Update(TeamUpdateArgs),
    /// Delete a team; its members stay.
    #[command(visible_alias = "rm")]
    Delete {
        /// Name or id.
        team: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct TeamUpdateArgs {
    /// Name or id.
    team: String,
    /// Another display name.
    #[arg(long)]
    name: Option<String>,
    /// A new member: name or id. May be given several times.
    #[arg(long, value_name = "AGENT")]
    add: Vec<String>,
    /// Who is no longer a member: name or id. May be given several times.
    #[arg(long, value_name = "AGENT")]
    remove: Vec<String>,
}

pub(crate) async fn run(session: &ClientSession, command: TeamCommand) -> anyhow::Result<()> {
    match command {
        TeamCommand::List => list(session).await,
        TeamCommand::Create { name, members } => create(session, name, &members).await,
        TeamCommand::Update(args) => update(session, args).await,
        TeamCommand::Delete { team } => delete(session, &team).await,
    }
}

const COLUMNS: [Column; 3] = [Column::always("name"), Column::id("id"), Column::always("members")];

async fn list(session: &ClientSession) -> anyhow::Result<()> {
    let (teams, names) = (resolve::teams(session).await?, resolve::names(session).await?);
    session.out.list(TEAM, &teams, &COLUMNS, |it| {
        vec![it.name.clone(), it.team_id.clone(), word::or_dash(member_names(it, &names))]
    })
}

async fn create(session: &ClientSession, name: String, members: &[String]) -> anyhow::Result<()> {
    let agent_ids = agent_ids(session, members).await?;
    let team = Some(Team { name, agent_ids, ..Team::default() });
    let request = CreateTeamRequest { request_id: session.request_id(), team };
    let mut directory = DirectoryServiceClient::new(session.channel_for_role(Role::Admin)?);
    let team = stored(directory.create_team(request).await.or_refusal()?.team)?;
    print_stored(session, &team, "is there now").await?;
    warn_of_a_namesake(session, &team).await;
    Ok(())
}

/// Two teams of one name are allowed, and a mistake as a rule.
async fn warn_of_a_namesake(session: &ClientSession, team: &Team) {
    let teams = resolve::teams(session).await.unwrap_or_default();
    if let Some(warning) = namesake(team, &teams) {
        output::diagnostic(&warning);
    }
}

fn namesake(team: &Team, all: &[Team]) -> Option<String> {
    let same = |it: &&Team| it.team_id != team.team_id && it.name.to_lowercase() == team.name.to_lowercase();
    let other = all.iter().find(same)?;
    Some(format!("There is another team {}, id {}; name either by the id.", other.name, other.team_id))
}

async fn update(session: &ClientSession, args: TeamUpdateArgs) -> anyhow::Result<()> {
    if args.name.is_none() && args.add.is_empty() && args.remove.is_empty() {
        return Err(UsageError::new("say what is to change: --name, --add or --remove").into());
    }
    let (mut team, is_renamed) = (resolve::team(session, &args.team).await?, args.name.is_some());
    let (added, removed) = (agent_ids(session, &args.add).await?, agent_ids(session, &args.remove).await?);
    if let Some(at) = added.iter().position(|it| removed.contains(it)) {
        return Err(UsageError::new(format!("{} is to be added and removed; which?", args.add[at])).into());
    }
    let mut directory = DirectoryServiceClient::new(session.channel_for_role(Role::Admin)?);
    let (request_id, team_id) = (session.request_id(), team.team_id.clone());
    if let Some(name) = args.name {
        let request = rename_request(request_id.clone(), team_id.clone(), name);
        team = stored(directory.update_team(request).await.or_refusal()?.team)?;
    }
    if !removed.is_empty() {
        let (request_id, team_id) = (request_id.clone(), team_id.clone());
        let request = RemoveTeamMembersRequest { request_id, team_id, agent_ids: removed };
        team = stored(directory.remove_team_members(request).await.or_refusal()?.team)?;
    }
    if !added.is_empty() {
        let request = AddTeamMembersRequest { request_id, team_id, agent_ids: added };
        team = stored(directory.add_team_members(request).await.or_refusal()?.team)?;
    }
    print_stored(session, &team, "is changed").await?;
    if is_renamed {
        warn_of_a_namesake(session, &team).await;
    }
    Ok(())
}

/// Gives no etag: whatever else was changed meanwhile stays.
fn rename_request(request_id: String, team_id: String, name: String) -> UpdateTeamRequest {
    let team = Some(Team { team_id, name, ..Team::default() });
    UpdateTeamRequest { request_id, team, update_mask: Some(FieldMask { paths: vec!["name".to_owned()] }) }
}

fn stored(team: Option<Team>) -> anyhow::Result<Team> {
    team.context("the answer is empty")
}

async fn delete(session: &ClientSession, name: &str) -> anyhow::Result<()> {
    let team = resolve::team(session, name).await?;
    let request = DeleteTeamRequest { request_id: session.request_id(), team_id: team.team_id };
    let mut directory = DirectoryServiceClient::new(session.channel_for_role(Role::Admin)?);
    let deleted = directory.delete_team(request).await.or_refusal()?;
    let text = format!("The team {} is gone.", team.name);
    session.out.one("baton.presence.v1.DeleteTeamResponse", &deleted, |_| text)
}

async fn agent_ids(session: &ClientSession, members: &[String]) -> anyhow::Result<Vec<String>> {
    let mut agent_ids = Vec::with_capacity(members.len());
    for member in members {
        agent_ids.push(resolve::agent(session, member).await?.agent_id);
    }
    Ok(agent_ids)
}

async fn print_stored(session: &ClientSession, team: &Team, how: &str) -> anyhow::Result<()> {
    let names = resolve::names(session).await?;
    session.out.one(TEAM, team, |it| {
        format!("Team {} {how}, members: {}, id {}", it.name, word::or_dash(member_names(it, &names)), it.team_id)
    })
}

fn member_names(team: &Team, names: &Names) -> String {
    team.agent_ids.iter().map(|id| names.of(id)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n11_a_team_of_the_same_name_is_mentioned_with_its_id() {
        let team = |id: &str, name: &str| Team { team_id: id.to_owned(), name: name.to_owned(), ..Team::default() };
        let all = [team("1", "Nights"), team("2", "Days")];
        assert!(namesake(&team("3", "nights"), &all).unwrap().contains("another team Nights, id 1"));
        assert_eq!(namesake(&all[0], &all), None);
    }
}
