//! Teams are created, changed and deleted.

use std::collections::BTreeSet;

use baton_api::event::v1::Change;
use baton_api::{ApiError, name};
use tonic::Status;

use crate::edit::Edit;
use crate::events;
use crate::ids::{AgentId, TeamId};
use crate::ops::agents::refuse_former;
use crate::record::{TeamChange, TeamRecord};
use crate::store::deleted_ids::{self, DeletedSort};
use crate::store::{names, teams};
use baton_store::Etag;

/// Members of one team.
pub(crate) const MAX_MEMBERS: usize = 10_000;

pub(crate) async fn create_team(
    edit: &mut Edit<'_>,
    id: TeamId,
    name: &str,
    members: &BTreeSet<AgentId>,
) -> Result<TeamRecord, Status> {
    edit.lock_directory().await?;
    refuse_twin(edit, id, name).await?;
    refuse_former(edit, DeletedSort::Team, id.0).await?;
    if !teams::insert(&mut edit.tx, edit.context.tenant, id, name, &Etag::new(baton_runtime::ids::new_uuid())).await? {
        let message = "There is a team with this id. Leave the id empty to get a fresh one.";
        return Err(ApiError::already_exists("team", message).into());
    }
    set_members(edit, id, (&BTreeSet::new(), members), "team.agent_ids").await?;
    team_changed(edit, id, Change::Created).await
}

/// Changes the name, the members or both; `read` is the etag of what the change was decided on.
pub(crate) async fn update_team(
    edit: &mut Edit<'_>,
    id: TeamId,
    change: &TeamChange,
    read: &str,
) -> Result<TeamRecord, Status> {
    edit.lock_directory().await?;
    let before = existing_team(edit, id).await?;
    before.etag.check(read, "team")?;
    let name = change.name.as_ref().filter(|it| **it != before.name);
    let members = change.members.as_ref().filter(|it| **it != before.members);
    if name.is_none() && members.is_none() {
        return Ok(before);
    }
    if let Some(name) = name {
        refuse_twin(edit, id, name).await?;
        teams::rename(&mut edit.tx, edit.context.tenant, id, name).await?;
    }
    if let Some(members) = members {
        set_members(edit, id, (&before.members, members), "team.agent_ids").await?;
    }
    team_changed(edit, id, Change::Updated).await
}

pub(crate) async fn add_members(
    edit: &mut Edit<'_>,
    id: TeamId,
    added: &BTreeSet<AgentId>,
) -> Result<TeamRecord, Status> {
    edit.lock_directory().await?;
    let before = existing_team(edit, id).await?;
    let members: BTreeSet<AgentId> = before.members.union(added).copied().collect();
    if members.len() > MAX_MEMBERS {
        let message = format!("A team has {MAX_MEMBERS} members at most. Remove some first, or make another team.");
        return Err(ApiError::resource_exhausted(message).without_retry().into());
    }
    change_members(edit, before, &members).await
}

/// Those who are not in the team are ignored.
pub(crate) async fn remove_members(
    edit: &mut Edit<'_>,
    id: TeamId,
    removed: &BTreeSet<AgentId>,
) -> Result<TeamRecord, Status> {
    edit.lock_directory().await?;
    let before = existing_team(edit, id).await?;
    let members: BTreeSet<AgentId> = before.members.difference(removed).copied().collect();
    change_members(edit, before, &members).await
}

/// The agents in it stay.
pub(crate) async fn delete_team(edit: &mut Edit<'_>, id: TeamId) -> Result<(), Status> {
    edit.lock_directory().await?;
    if !teams::delete(&mut edit.tx, edit.context.tenant, id).await? {
        return Err(ApiError::not_found("team").into());
    }
    let now_us = edit.now_us();
    deleted_ids::insert(&mut edit.tx, edit.context.tenant, DeletedSort::Team, id.0, now_us).await?;
    edit.touch_team(id);
    Ok(events::team_changed(&mut edit.tx, edit.context, id, Change::Deleted, None).await?)
}

/// Writes down that a team, which still exists, has changed, and returns what it is now.
pub(super) async fn team_changed(edit: &mut Edit<'_>, id: TeamId, change: Change) -> Result<TeamRecord, Status> {
    edit.touch_team(id);
    teams::set_etag(&mut edit.tx, edit.context.tenant, id, &Etag::new(baton_runtime::ids::new_uuid())).await?;
    let team = existing_team(edit, id).await?;
    events::team_changed(&mut edit.tx, edit.context, id, change, Some(&team)).await?;
    Ok(team)
}

/// A team's name is its own in the tenant: calls are handed to it by name.
async fn refuse_twin(edit: &mut Edit<'_>, id: TeamId, name: &str) -> Result<(), Status> {
    let alike = names::alike(&mut edit.tx, &names::TEAMS, edit.context.tenant, id.0, name).await?;
    Ok(name::TEAM.refuse_twin(name, &alike)?)
}

async fn existing_team(edit: &mut Edit<'_>, id: TeamId) -> Result<TeamRecord, Status> {
    teams::get(&mut edit.tx, edit.context.tenant, id).await?.ok_or_else(|| ApiError::not_found("team").into())
}

async fn change_members(
    edit: &mut Edit<'_>,
    before: TeamRecord,
    members: &BTreeSet<AgentId>,
) -> Result<TeamRecord, Status> {
    if *members == before.members {
        return Ok(before);
    }
    set_members(edit, before.id, (&before.members, members), "agent_ids").await?;
    team_changed(edit, before.id, Change::Updated).await
}

/// Makes `before` into `after`. Refuses new members who don't exist, and names the `field` that listed them.
async fn set_members(
    edit: &mut Edit<'_>,
    id: TeamId,
    (before, after): (&BTreeSet<AgentId>, &BTreeSet<AgentId>),
    field: &str,
) -> Result<(), Status> {
    let added: Vec<AgentId> = after.difference(before).copied().collect();
    let removed: Vec<AgentId> = before.difference(after).copied().collect();
    let existing = teams::existing(&mut edit.tx, edit.context.tenant, &added).await?;
    if let Some(unknown) = added.iter().find(|it| !existing.contains(it)) {
        let why = format!("there is no agent {unknown}; create them first");
        return Err(ApiError::invalid_argument(field, why).into());
    }
    teams::delete_members(&mut edit.tx, edit.context.tenant, id, &removed).await?;
    Ok(teams::insert_members(&mut edit.tx, edit.context.tenant, id, &added).await?)
}
