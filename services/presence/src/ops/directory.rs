//! Agents and teams are created, changed and deleted.

use std::collections::BTreeSet;

use baton_api::ApiError;
use baton_api::error::ErrorReason;
use tonic::Status;

use crate::edit::Edit;
use crate::events;
use crate::ids::{AgentId, TeamId};
use crate::record::AgentProfile;
use crate::status::AgentStatus;
use crate::store::{agents, statuses, teams};

pub(crate) async fn create_agent(edit: &mut Edit<'_>, id: AgentId, profile: &AgentProfile) -> Result<(), Status> {
    if !agents::insert(edit.tx, edit.context.tenant, id, profile).await? {
        let message = "There is an agent with this id. Leave the id empty to get a fresh one.";
        return Err(ApiError::already_exists("agent", message).into());
    }
    statuses::save(edit.tx, edit.context.tenant, id, &AgentStatus::new(edit.now_us())).await?;
    agent_changed(edit, id, "created").await
}

/// Replaces all fields.
pub(crate) async fn update_agent(edit: &mut Edit<'_>, id: AgentId, profile: &AgentProfile) -> Result<(), Status> {
    if !agents::update(edit.tx, edit.context.tenant, id, profile).await? {
        return Err(ApiError::not_found("agent").into());
    }
    agent_changed(edit, id, "updated").await
}

/// Refuses an agent who is online or occupied.
pub(crate) async fn delete_agent(edit: &mut Edit<'_>, id: AgentId) -> Result<(), Status> {
    let agent = edit.agent(id).await?.ok_or_else(|| ApiError::not_found("agent"))?;
    if let Some(claim) = &agent.claim {
        let message = "The agent is in a call, or is being offered one. Delete them when it is over.";
        let error = ApiError::failed_precondition(ErrorReason::InUse, message);
        return Err(error.with("interaction_id", &claim.interaction_id).into());
    }
    if agent.status.online {
        let message = "The agent is online. Delete them when their last session has ended.";
        return Err(ApiError::failed_precondition(ErrorReason::InUse, message).with("by", "session").into());
    }
    for team in teams::of_agent(edit.tx, edit.context.tenant, id).await? {
        edit.touch_team(team);
    }
    agents::delete(edit.tx, edit.context.tenant, id).await?;
    agent_changed(edit, id, "deleted").await
}

pub(crate) async fn create_team(
    edit: &mut Edit<'_>,
    id: TeamId,
    name: &str,
    members: &BTreeSet<AgentId>,
) -> Result<(), Status> {
    if !teams::insert(edit.tx, edit.context.tenant, id, name).await? {
        let message = "There is a team with this id. Leave the id empty to get a fresh one.";
        return Err(ApiError::already_exists("team", message).into());
    }
    set_members(edit, id, members).await?;
    team_changed(edit, id, "created").await
}

/// Replaces the name and the members.
pub(crate) async fn update_team(
    edit: &mut Edit<'_>,
    id: TeamId,
    name: &str,
    members: &BTreeSet<AgentId>,
) -> Result<(), Status> {
    if !teams::rename(edit.tx, edit.context.tenant, id, name).await? {
        return Err(ApiError::not_found("team").into());
    }
    set_members(edit, id, members).await?;
    team_changed(edit, id, "updated").await
}

/// The agents in it stay.
pub(crate) async fn delete_team(edit: &mut Edit<'_>, id: TeamId) -> Result<(), Status> {
    if !teams::delete(edit.tx, edit.context.tenant, id).await? {
        return Err(ApiError::not_found("team").into());
    }
    team_changed(edit, id, "deleted").await
}

async fn set_members(edit: &mut Edit<'_>, id: TeamId, members: &BTreeSet<AgentId>) -> Result<(), Status> {
    let members: Vec<AgentId> = members.iter().copied().collect();
    let existing = teams::existing(edit.tx, edit.context.tenant, &members).await?;
    if let Some(unknown) = members.iter().find(|it| !existing.contains(it)) {
        let why = format!("there is no agent {unknown}; create them first");
        return Err(ApiError::invalid_argument("team.agent_ids", why).into());
    }
    Ok(teams::set_members(edit.tx, edit.context.tenant, id, &members).await?)
}

async fn agent_changed(edit: &mut Edit<'_>, id: AgentId, change: &str) -> Result<(), Status> {
    edit.touch_agent(id);
    Ok(events::directory_changed(edit.tx, edit.context, "agent", id.to_string(), change).await?)
}

async fn team_changed(edit: &mut Edit<'_>, id: TeamId, change: &str) -> Result<(), Status> {
    edit.touch_team(id);
    Ok(events::directory_changed(edit.tx, edit.context, "team", id.to_string(), change).await?)
}
