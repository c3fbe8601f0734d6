//! `DirectoryService`.

use std::sync::Arc;

use baton_api::presence::v1::directory_service_server::DirectoryService;
use baton_api::presence::v1::{
    AddTeamMembersRequest, AddTeamMembersResponse, Agent, CreateAgentRequest, CreateAgentResponse, CreateSiteRequest,
    CreateSiteResponse, CreateTeamRequest, CreateTeamResponse, DeleteAgentRequest, DeleteAgentResponse,
    DeleteSiteRequest, DeleteSiteResponse, DeleteTeamRequest, DeleteTeamResponse, GetAgentRequest, GetAgentResponse,
    GetSiteRequest, GetSiteResponse, GetTeamRequest, GetTeamResponse, ListAgentsRequest, ListAgentsResponse,
    ListSitesRequest, ListSitesResponse, ListTeamsRequest, ListTeamsResponse, RemoveTeamMembersRequest,
    RemoveTeamMembersResponse, Site, Team, UpdateAgentRequest, UpdateAgentResponse, UpdateSiteRequest,
    UpdateSiteResponse, UpdateTeamRequest, UpdateTeamResponse,
};
use baton_api::{ApiError, fields, name, page};
use baton_bus::{actor_text, caller_actor};
use baton_runtime::CallerExt as _;
use baton_store::change;
use prost::Message as _;
use tonic::{Request, Response, Status};

use super::{PresenceApi, parse, update};
use crate::convert;
use crate::core::ChangeRequest;
use crate::ids::{AgentId, SiteId, TeamId};
use crate::ops::{agents as agents_ops, sites as sites_ops, teams as teams_ops};
use crate::page::DirectoryCursor;
use crate::store::skills;
use crate::store::teams::TeamRow;
use crate::store::{agents, sites, teams};

/// A page of large teams ends at this size: well below the 4 MiB that clients accept, with the largest team on top of it.
const MAX_PAGE_BYTES: usize = 2 * 1024 * 1024;

/// Runs a change to its end, under its request id: what is parsed of the request, and what is changed because of it.
macro_rules! change_once {
    ($api:expr, $request:expr, $method:literal, |$message:ident| $parse:block, |$edit:ident, $parsed:pat_param| $change:block) => {{
        let caller = $request.caller()?.clone();
        let request = $request.into_inner();
        let core = Arc::clone(&$api.core);
        let done = $api.core.detached(async move {
            let $message = &request;
            let parsed = $parse;
            let actor = actor_text(&caller_actor(&caller));
            let change_request = ChangeRequest {
                caller: &caller,
                actor: &actor,
                method: concat!("/baton.presence.v1.DirectoryService/", $method),
                request_id: &request.request_id,
                message: &request,
            };
            let parsed = &parsed;
            core.change_once(
                change_request,
                change!(|$edit| {
                    let $parsed = parsed;
                    Ok($change)
                }),
            )
            .await
        });
        done.await.map(Response::new)
    }};
}

#[tonic::async_trait]
impl DirectoryService for PresenceApi {
    async fn create_agent(
        &self,
        request: Request<CreateAgentRequest>,
    ) -> Result<Response<CreateAgentResponse>, Status> {
        change_once!(
            self,
            request,
            "CreateAgent",
            |request| {
                let agent = given(request.agent.as_ref(), "agent")?;
                let id = AgentId::parse_or_new("agent.agent_id", &agent.agent_id);
                let (id, profile) = fields::all((id, parse::profile(agent)))?;
                (id, profile)
            },
            |edit, (id, profile)| {
                let created = agents_ops::create_agent(edit, *id, profile).await?;
                CreateAgentResponse { agent: Some(convert::agent(&created)) }
            }
        )
    }

    async fn update_agent(
        &self,
        request: Request<UpdateAgentRequest>,
    ) -> Result<Response<UpdateAgentResponse>, Status> {
        change_once!(
            self,
            request,
            "UpdateAgent",
            |request| {
                let agent = given(request.agent.as_ref(), "agent")?;
                let id = AgentId::parse("agent.agent_id", &agent.agent_id);
                let (id, change) = fields::all((id, update::profile_change(agent, request.update_mask.as_ref())))?;
                let etag = agent.etag.clone();
                (id, change, etag)
            },
            |edit, (id, change, etag)| {
                let updated = agents_ops::update_agent(edit, *id, change, etag).await?;
                UpdateAgentResponse { agent: Some(convert::agent(&updated)) }
            }
        )
    }

    async fn delete_agent(
        &self,
        request: Request<DeleteAgentRequest>,
    ) -> Result<Response<DeleteAgentResponse>, Status> {
        change_once!(
            self,
            request,
            "DeleteAgent",
            |request| { AgentId::parse("agent_id", &request.agent_id)? },
            |edit, id| {
                agents_ops::delete_agent(edit, *id).await?;
                DeleteAgentResponse {}
            }
        )
    }

    async fn get_agent(&self, request: Request<GetAgentRequest>) -> Result<Response<GetAgentResponse>, Status> {
        let tenant = request.caller()?.tenant()?;
        let id = AgentId::parse("agent_id", &request.get_ref().agent_id)?;
        let found = self.core.index.known(tenant).and_then(|it| it.agent(id));
        let record = found.ok_or_else(|| ApiError::not_found("agent"))?;
        Ok(Response::new(GetAgentResponse { agent: Some(convert::agent(&record)) }))
    }

    async fn list_agents(&self, request: Request<ListAgentsRequest>) -> Result<Response<ListAgentsResponse>, Status> {
        let tenant = request.caller()?.tenant()?;
        let message = request.get_ref();
        let (size, after) = fields::all((page::size(message.page_size), DirectoryCursor::parse(&message.page_token)))?;
        let mut reader = self.core.db.read().await?;
        let mut rows = agents::list(&mut reader, tenant, &after, size + 1).await?;
        let next_page_token = page::cut(&mut rows, size, |row| {
            DirectoryCursor { key: row.name_key.clone(), id: row.agent_id.0, ..DirectoryCursor::default() }.token()
        });
        let agents = rows.into_iter().map(listed_agent).collect();
        Ok(Response::new(ListAgentsResponse { agents, next_page_token }))
    }

    async fn create_team(&self, request: Request<CreateTeamRequest>) -> Result<Response<CreateTeamResponse>, Status> {
        change_once!(
            self,
            request,
            "CreateTeam",
            |request| {
                let team = given(request.team.as_ref(), "team")?;
                let id = TeamId::parse_or_new("team.team_id", &team.team_id);
                let (id, (name, members)) = fields::all((id, parse::team(team)))?;
                (id, name, members)
            },
            |edit, (id, name, members)| {
                let created = teams_ops::create_team(edit, *id, name, members).await?;
                CreateTeamResponse { team: Some(convert::team(&created)) }
            }
        )
    }

    async fn update_team(&self, request: Request<UpdateTeamRequest>) -> Result<Response<UpdateTeamResponse>, Status> {
        change_once!(
            self,
            request,
            "UpdateTeam",
            |request| {
                let team = given(request.team.as_ref(), "team")?;
                let id = TeamId::parse("team.team_id", &team.team_id);
                let (id, change) = fields::all((id, update::team_change(team, request.update_mask.as_ref())))?;
                let etag = team.etag.clone();
                (id, change, etag)
            },
            |edit, (id, change, etag)| {
                let updated = teams_ops::update_team(edit, *id, change, etag).await?;
                UpdateTeamResponse { team: Some(convert::team(&updated)) }
            }
        )
    }

    async fn add_team_members(
        &self,
        request: Request<AddTeamMembersRequest>,
    ) -> Result<Response<AddTeamMembersResponse>, Status> {
        change_once!(
            self,
            request,
            "AddTeamMembers",
            |request| {
                let id = TeamId::parse("team_id", &request.team_id)?;
                let added = parse::members(&request.agent_ids)?;
                (id, added)
            },
            |edit, (id, added)| {
                let team = teams_ops::add_members(edit, *id, added).await?;
                AddTeamMembersResponse { team: Some(convert::team(&team)) }
            }
        )
    }

    async fn remove_team_members(
        &self,
        request: Request<RemoveTeamMembersRequest>,
    ) -> Result<Response<RemoveTeamMembersResponse>, Status> {
        change_once!(
            self,
            request,
            "RemoveTeamMembers",
            |request| {
                let id = TeamId::parse("team_id", &request.team_id)?;
                let removed = parse::members(&request.agent_ids)?;
                (id, removed)
            },
            |edit, (id, removed)| {
                let team = teams_ops::remove_members(edit, *id, removed).await?;
                RemoveTeamMembersResponse { team: Some(convert::team(&team)) }
            }
        )
    }

    async fn get_team(&self, request: Request<GetTeamRequest>) -> Result<Response<GetTeamResponse>, Status> {
        let tenant = request.caller()?.tenant()?;
        let id = TeamId::parse("team_id", &request.get_ref().team_id)?;
        let found = self.core.index.known(tenant).and_then(|it| it.team(id));
        let record = found.ok_or_else(|| ApiError::not_found("team"))?;
        Ok(Response::new(GetTeamResponse { team: Some(convert::team(&record)) }))
    }

    async fn delete_team(&self, request: Request<DeleteTeamRequest>) -> Result<Response<DeleteTeamResponse>, Status> {
        change_once!(
            self,
            request,
            "DeleteTeam",
            |request| { TeamId::parse("team_id", &request.team_id)? },
            |edit, id| {
                teams_ops::delete_team(edit, *id).await?;
                DeleteTeamResponse {}
            }
        )
    }

    async fn list_teams(&self, request: Request<ListTeamsRequest>) -> Result<Response<ListTeamsResponse>, Status> {
        let tenant = request.caller()?.tenant()?;
        let message = request.get_ref();
        let (size, after) = fields::all((page::size(message.page_size), DirectoryCursor::parse(&message.page_token)))?;
        let mut reader = self.core.db.read().await?;
        let mut rows = teams::list(&mut reader, tenant, &after, size + 1).await?;
        let next_page_token = page::cut(&mut rows, size, team_token);
        let index = self.core.index.tenant(tenant);
        let found = rows.iter().filter_map(|row| Some((row, convert::team(index.team(row.team_id)?.as_ref()))));
        let (teams, cut_at) = as_many_as_fit(found);
        let next_page_token = cut_at.map_or(next_page_token, team_token);
        Ok(Response::new(ListTeamsResponse { teams, next_page_token }))
    }

    async fn create_site(&self, request: Request<CreateSiteRequest>) -> Result<Response<CreateSiteResponse>, Status> {
        change_once!(
            self,
            request,
            "CreateSite",
            |request| {
                let site = given(request.site.as_ref(), "site")?;
                let (name, ()) = fields::all((name::parse("site.name", &site.name), no_site_id(site)))?;
                (SiteId::parse_or_new("site.site_id", "")?, name)
            },
            |edit, (id, name)| {
                let created = sites_ops::create_site(edit, *id, name).await?;
                CreateSiteResponse { site: Some(convert::site(&created)) }
            }
        )
    }

    async fn get_site(&self, request: Request<GetSiteRequest>) -> Result<Response<GetSiteResponse>, Status> {
        let tenant = request.caller()?.tenant()?;
        let id = SiteId::parse("site_id", &request.get_ref().site_id)?;
        let found = self.core.index.known(tenant).and_then(|it| it.site(id));
        let record = found.ok_or_else(|| ApiError::not_found("site"))?;
        Ok(Response::new(GetSiteResponse { site: Some(convert::site(&record)) }))
    }

    async fn update_site(&self, request: Request<UpdateSiteRequest>) -> Result<Response<UpdateSiteResponse>, Status> {
        change_once!(
            self,
            request,
            "UpdateSite",
            |request| {
                let site = given(request.site.as_ref(), "site")?;
                let id = SiteId::parse("site.site_id", &site.site_id);
                let (id, name) = fields::all((id, update::site_change(site, request.update_mask.as_ref())))?;
                let etag = site.etag.clone();
                (id, name, etag)
            },
            |edit, (id, name, etag)| {
                let updated = sites_ops::rename_site(edit, *id, name.as_deref(), etag).await?;
                UpdateSiteResponse { site: Some(convert::site(&updated)) }
            }
        )
    }

    async fn delete_site(&self, request: Request<DeleteSiteRequest>) -> Result<Response<DeleteSiteResponse>, Status> {
        change_once!(
            self,
            request,
            "DeleteSite",
            |request| { SiteId::parse("site_id", &request.site_id)? },
            |edit, id| {
                sites_ops::delete_site(edit, *id).await?;
                DeleteSiteResponse {}
            }
        )
    }

    async fn list_sites(&self, request: Request<ListSitesRequest>) -> Result<Response<ListSitesResponse>, Status> {
        let tenant = request.caller()?.tenant()?;
        let message = request.get_ref();
        let (size, after) = fields::all((page::size(message.page_size), DirectoryCursor::parse(&message.page_token)))?;
        let mut reader = self.core.db.read().await?;
        let mut rows = sites::list(&mut reader, tenant, &after, size + 1).await?;
        let next_page_token = page::cut(&mut rows, size, |row| {
            DirectoryCursor { key: name::key(&row.name), id: row.id.0, ..DirectoryCursor::default() }.token()
        });
        let sites = rows.iter().map(convert::site).collect();
        Ok(Response::new(ListSitesResponse { sites, next_page_token }))
    }
}

fn team_token(row: &TeamRow) -> String {
    DirectoryCursor { key: row.name_key.clone(), id: row.team_id.0, ..DirectoryCursor::default() }.token()
}

/// The teams that fit into one message, at least one, and the last of them if they are not all.
fn as_many_as_fit<'a>(found: impl Iterator<Item = (&'a TeamRow, Team)>) -> (Vec<Team>, Option<&'a TeamRow>) {
    let mut teams = Vec::new();
    let mut bytes = 0;
    let mut last = None;
    for (row, team) in found {
        bytes += team.encoded_len();
        if last.is_some() && bytes > MAX_PAGE_BYTES {
            return (teams, last);
        }
        teams.push(team);
        last = Some(row);
    }
    (teams, None)
}

/// Ids of sites are never used again, because nobody chooses them.
fn no_site_id(site: &Site) -> Result<(), ApiError> {
    if site.site_id.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid_argument("site.site_id", "must be empty: a site gets a fresh id"))
}

fn given<'a, T>(message: Option<&'a T>, field: &str) -> Result<&'a T, ApiError> {
    message.ok_or_else(|| ApiError::invalid_argument(field, "must be given"))
}

fn listed_agent(row: agents::AgentRow) -> Agent {
    Agent {
        agent_id: row.agent_id.to_string(),
        name: row.name,
        email: row.email,
        phone: row.phone,
        voicemail: row.voicemail,
        skills: skills::read(&row.skills),
        etag: row.etag.as_str().to_owned(),
        capacity: Some(convert::capacity(row.capacity)),
        site_id: convert::id_text(row.site_id),
    }
}
