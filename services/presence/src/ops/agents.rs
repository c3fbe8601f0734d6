//! Agents are created, changed and deleted.

use baton_api::error::ErrorReason;
use baton_api::event::v1::Change;
use baton_api::{ApiError, name};
use tonic::Status;
use uuid::Uuid;

use super::sites;
use super::teams::team_changed;
use crate::edit::Edit;
use crate::events;
use crate::ids::AgentId;
use crate::record::{AgentProfile, AgentRecord, ProfileChange};
use crate::status::AgentStatus;
use crate::store::deleted_ids::{self, DeletedSort};
use crate::store::{agents, names, statuses, teams};
use baton_store::Etag;

pub(crate) async fn create_agent(
    edit: &mut Edit<'_>,
    id: AgentId,
    profile: &AgentProfile,
) -> Result<AgentRecord, Status> {
    edit.lock_directory().await?;
    edit.lock_agents([id], [profile.phone.clone()]).await?;
    refuse_twin(edit, id, &profile.name).await?;
    if let Some(site) = profile.site {
        sites::check(edit, site).await?;
    }
    refuse_former(edit, DeletedSort::Agent, id.0).await?;
    if !agents::insert(&mut edit.tx, edit.context.tenant, id, profile, &Etag::new(baton_runtime::ids::new_uuid()))
        .await?
    {
        let message = "There is an agent with this id. Leave the id empty to get a fresh one.";
        return Err(ApiError::already_exists("agent", message).into());
    }
    let status = AgentStatus::new(edit.now_us());
    statuses::save(&mut edit.tx, edit.context.tenant, id, &status).await?;
    agent_changed(edit, id, Change::Created).await?;
    existing_agent(edit, id).await
}

/// Changes some fields; `read` is the etag of what the change was decided on.
pub(crate) async fn update_agent(
    edit: &mut Edit<'_>,
    id: AgentId,
    change: &ProfileChange,
    read: &str,
) -> Result<AgentRecord, Status> {
    edit.lock_directory().await?;
    edit.lock_agents([id], change.phone.clone()).await?;
    let before = existing_agent(edit, id).await?;
    before.etag.check(read, "agent")?;
    let profile = change.of(&before.profile);
    if profile == before.profile {
        return Ok(before);
    }
    if profile.name != before.profile.name {
        refuse_twin(edit, id, &profile.name).await?;
    }
    if let Some(site) = profile.site.filter(|_| profile.site != before.profile.site) {
        sites::check(edit, site).await?;
    }
    let etag = Etag::new(baton_runtime::ids::new_uuid());
    agents::update(&mut edit.tx, edit.context.tenant, id, &profile, &etag).await?;
    agent_changed(edit, id, Change::Updated).await?;
    Ok(AgentRecord { profile, etag, ..before })
}

/// Refuses an agent who is online or occupied.
pub(crate) async fn delete_agent(edit: &mut Edit<'_>, id: AgentId) -> Result<(), Status> {
    edit.lock_directory().await?;
    edit.lock_agents([id], []).await?;
    let agent = existing_agent(edit, id).await?;
    if let Some(claim) = agent.claims.first() {
        let message = "The agent is in a call, or is being offered one. Delete them when it is over.";
        let error = ApiError::failed_precondition(ErrorReason::InUse, message);
        return Err(error.with("interaction_id", &claim.interaction_id).into());
    }
    if agent.status.online {
        let message = "The agent is online. Delete them when their last session has ended.";
        return Err(ApiError::failed_precondition(ErrorReason::InUse, message).with("by", "session").into());
    }
    let teams = teams::of_agent(&mut edit.tx, edit.context.tenant, id).await?;
    agents::delete(&mut edit.tx, edit.context.tenant, id).await?;
    let now_us = edit.now_us();
    deleted_ids::insert(&mut edit.tx, edit.context.tenant, DeletedSort::Agent, id.0, now_us).await?;
    for team in teams {
        team_changed(edit, team, Change::Updated).await?;
    }
    agent_changed(edit, id, Change::Deleted).await
}

/// Two agents may have one name, but not names that are there to be taken for each other (S14).
async fn refuse_twin(edit: &mut Edit<'_>, id: AgentId, name: &str) -> Result<(), Status> {
    let alike = names::alike(&mut edit.tx, &names::AGENTS, edit.context.tenant, id.0, name).await?;
    Ok(name::AGENT.refuse_twin(name, &alike)?)
}

/// Refuses the id of something that was deleted: whoever gets it would inherit its past (S6).
pub(super) async fn refuse_former(edit: &mut Edit<'_>, what: DeletedSort, id: Uuid) -> Result<(), Status> {
    if deleted_ids::contains(&mut edit.tx, edit.context.tenant, what, id).await? {
        let (resource, message) = match what {
            DeletedSort::Agent => {
                ("agent", "This was the id of an agent who was deleted. Leave it empty to get a fresh one.")
            }
            DeletedSort::Team => {
                ("team", "This was the id of a team that was deleted. Leave it empty to get a fresh one.")
            }
        };
        return Err(ApiError::already_exists(resource, message).into());
    }
    Ok(())
}

async fn existing_agent(edit: &mut Edit<'_>, id: AgentId) -> Result<AgentRecord, Status> {
    edit.agent(id).await?.ok_or_else(|| ApiError::not_found("agent").into())
}

async fn agent_changed(edit: &mut Edit<'_>, id: AgentId, change: Change) -> Result<(), Status> {
    edit.touch_agent(id);
    Ok(events::agent_changed(&mut edit.tx, edit.context, id, change).await?)
}
