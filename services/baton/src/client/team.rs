//! `baton team`.

use anyhow::Context as _;
use baton_api::presence::v1::directory_service_client::DirectoryServiceClient;
use baton_api::presence::v1::{CreateTeamRequest, Team};
use baton_runtime::auth::Role;
use clap::Subcommand;

use super::refusal::Told;
use super::session::Session;
use super::story::Names;
use super::{resolve, word};

const TEAM: &str = "baton.presence.v1.Team";

/// What can be done with teams.
#[derive(Debug, Subcommand)]
pub(crate) enum TeamCommand {
    /// List all teams.
    List,
    /// Create a team.
    Create {
        /// Display name.
        name: String,
        /// A member: name or id. May be given several times.
        #[arg(long = "member", value_name = "AGENT")]
        members: Vec<String>,
    },
}

/// Runs it.
pub(crate) async fn run(session: &Session, command: TeamCommand) -> anyhow::Result<()> {
    match command {
        TeamCommand::List => list(session).await,
        TeamCommand::Create { name, members } => create(session, name, &members).await,
    }
}

async fn list(session: &Session) -> anyhow::Result<()> {
    let (teams, names) = (resolve::teams(session).await?, resolve::names(session).await?);
    session.out.list(TEAM, &teams, &["name", "members", "id"], |it| {
        vec![it.name.clone(), word::or_dash(members(it, &names)), it.team_id.clone()]
    })
}

async fn create(session: &Session, name: String, members: &[String]) -> anyhow::Result<()> {
    let mut agent_ids = Vec::with_capacity(members.len());
    for member in members {
        agent_ids.push(resolve::agent(session, member).await?.agent_id);
    }
    let team = Some(Team { team_id: String::new(), name, agent_ids });
    let request = CreateTeamRequest { request_id: session.request_id(), team };
    let mut directory = DirectoryServiceClient::new(session.of_role(Role::Admin)?);
    let team = directory.create_team(request).await.told()?.team.context("the answer is empty")?;
    session.out.one(TEAM, &team, |it| {
        format!("Team {} is there now, {} members, id {}", it.name, it.agent_ids.len(), it.team_id)
    })
}

fn members(team: &Team, names: &Names) -> String {
    team.agent_ids.iter().map(|id| names.of(id)).collect::<Vec<_>>().join(", ")
}
