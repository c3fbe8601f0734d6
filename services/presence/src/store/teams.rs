//! Teams and their members.

use std::collections::BTreeSet;

use baton_api::name;
use baton_runtime::auth::TenantId;
use baton_store::{Affected as _, Reader, StoreError, Tx, on};

use crate::ids::{AgentId, TeamId};
use crate::page::DirectoryCursor;
use crate::record::TeamRecord;
use baton_store::Etag;

/// Rows in one statement: well below the limit on parameters.
const CHUNK: usize = 1_000;

#[derive(sqlx::FromRow)]
pub(crate) struct TeamRow {
    pub(crate) team_id: TeamId,
    pub(crate) name_key: String,
}

/// Adds a team without members; `false` when the id is in use.
pub(crate) async fn insert(
    tx: &mut Tx,
    tenant: &TenantId,
    id: TeamId,
    name: &str,
    etag: &Etag,
) -> Result<bool, StoreError> {
    let rows = tx
        .statement(
            "INSERT INTO teams (tenant, team_id, name, name_key, look, shape, etag) VALUES ($1, $2, $3, $4, $6, $7, $5)
         ON CONFLICT DO NOTHING",
        )
        .bind(tenant.as_str())
        .bind(id)
        .bind(name)
        .bind(name::key(name))
        .bind(etag)
        .bind(name::look(name))
        .bind(name::shape(name))
        .affected()
        .await?;
    Ok(rows == 1)
}

/// Gives a team, which must exist, another name, or the same.
pub(crate) async fn rename(tx: &mut Tx, tenant: &TenantId, id: TeamId, name: &str) -> Result<(), StoreError> {
    tx.statement("UPDATE teams SET name = $3, name_key = $4, look = $5, shape = $6 WHERE tenant = $1 AND team_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .bind(name)
        .bind(name::key(name))
        .bind(name::look(name))
        .bind(name::shape(name))
        .run()
        .await?;
    Ok(())
}

/// Writes down that a team has changed, with its next version.
pub(crate) async fn set_etag(tx: &mut Tx, tenant: &TenantId, id: TeamId, etag: &Etag) -> Result<(), StoreError> {
    tx.statement("UPDATE teams SET etag = $3, version = version + 1 WHERE tenant = $1 AND team_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .bind(etag)
        .run()
        .await?;
    Ok(())
}

/// Removes a team with its memberships; `false` when there is none.
pub(crate) async fn delete(tx: &mut Tx, tenant: &TenantId, id: TeamId) -> Result<bool, StoreError> {
    let rows = tx
        .statement("DELETE FROM teams WHERE tenant = $1 AND team_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .affected()
        .await?;
    Ok(rows == 1)
}

/// Adds members, who must exist and not be in the team.
pub(crate) async fn insert_members(
    tx: &mut Tx,
    tenant: &TenantId,
    id: TeamId,
    members: &[AgentId],
) -> Result<(), StoreError> {
    for chunk in members.chunks(CHUNK) {
        on!(tx, conn => {
            let mut query = sqlx::QueryBuilder::new("INSERT INTO team_members (tenant, team_id, agent_id) ");
            query.push_values(chunk, |mut row, member| {
                row.push_bind(tenant.as_str()).push_bind(id).push_bind(*member);
            });
            query.build().persistent(false).affected(conn).await
        })?;
    }
    Ok(())
}

/// Removes members.
pub(crate) async fn delete_members(
    tx: &mut Tx,
    tenant: &TenantId,
    id: TeamId,
    members: &[AgentId],
) -> Result<(), StoreError> {
    for chunk in members.chunks(CHUNK) {
        on!(tx, conn => {
            let mut query = sqlx::QueryBuilder::new("DELETE FROM team_members WHERE tenant = ");
            query.push_bind(tenant.as_str()).push(" AND team_id = ").push_bind(id).push(" AND agent_id IN (");
            let mut list = query.separated(", ");
            for member in chunk {
                list.push_bind(*member);
            }
            query.push(")");
            query.build().persistent(false).affected(conn).await
        })?;
    }
    Ok(())
}

/// Those of the agents who exist.
pub(crate) async fn existing(
    tx: &mut Tx,
    tenant: &TenantId,
    agents: &[AgentId],
) -> Result<BTreeSet<AgentId>, StoreError> {
    let mut found = BTreeSet::new();
    for chunk in agents.chunks(CHUNK) {
        let ids: Vec<AgentId> = on!(tx, conn => {
            let mut query = sqlx::QueryBuilder::new("SELECT agent_id FROM agents WHERE tenant = ");
            query.push_bind(tenant.as_str()).push(" AND agent_id IN (");
            let mut list = query.separated(", ");
            for id in chunk {
                list.push_bind(*id);
            }
            query.push(")");
            query.build_query_scalar().persistent(false).fetch_all(conn).await
        })?;
        found.extend(ids);
    }
    Ok(found)
}

/// The teams that an agent is in.
pub(crate) async fn of_agent(tx: &mut Tx, tenant: &TenantId, agent: AgentId) -> Result<Vec<TeamId>, StoreError> {
    Ok(on!(tx, conn => sqlx::query_scalar(
        "SELECT team_id FROM team_members WHERE tenant = $1 AND agent_id = $2")
        .bind(tenant.as_str())
        .bind(agent)
        .fetch_all(conn)
        .await)?)
}

/// A team with its members.
pub(crate) async fn get(tx: &mut Tx, tenant: &TenantId, id: TeamId) -> Result<Option<TeamRecord>, StoreError> {
    let row: Option<(String, Etag, i64)> = on!(tx, conn => sqlx::query_as(
        "SELECT name, etag, version FROM teams WHERE tenant = $1 AND team_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .fetch_optional(conn)
        .await)?;
    let Some((name, etag, version)) = row else { return Ok(None) };
    let members: Vec<AgentId> = on!(tx, conn => sqlx::query_scalar(
        "SELECT agent_id FROM team_members WHERE tenant = $1 AND team_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .fetch_all(conn)
        .await)?;
    let members = members.into_iter().collect();
    Ok(Some(TeamRecord { tenant: tenant.clone(), id, name, members, etag, version }))
}

/// Every team of every tenant, to fill the memory at the start.
pub(crate) async fn all(tx: &mut Tx) -> Result<Vec<TeamRecord>, StoreError> {
    let keys: Vec<(String, TeamId)> = on!(tx, conn => sqlx::query_as(
        "SELECT tenant, team_id FROM teams").fetch_all(conn).await)?;
    let mut teams = Vec::with_capacity(keys.len());
    for (tenant, id) in keys {
        let tenant = super::tenant(tenant, "teams", &id.to_string())?;
        teams.extend(get(tx, &tenant, id).await?);
    }
    Ok(teams)
}

/// A page by name, without members.
pub(crate) async fn list(
    reader: &mut Reader,
    tenant: &TenantId,
    after: &DirectoryCursor,
    limit: usize,
) -> Result<Vec<TeamRow>, StoreError> {
    Ok(on!(reader, conn => sqlx::query_as(
        "SELECT team_id, name_key FROM teams
         WHERE tenant = $1 AND (name_key, team_id) > ($2, $3)
         ORDER BY name_key, team_id LIMIT $4")
        .bind(tenant.as_str())
        .bind(&after.key)
        .bind(after.id)
        .bind(limit as i64)
        .fetch_all(conn)
        .await)?)
}
