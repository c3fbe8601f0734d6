//! Names that look alike, of agents and of teams.

use baton_api::name;
use baton_runtime::auth::TenantId;
use baton_store::{Db, StoreError, Tx, on};
use uuid::Uuid;

/// The names of a tenant's other agents that look like this one.
pub(crate) async fn like_agents(
    tx: &mut Tx,
    tenant: &TenantId,
    id: Uuid,
    name: &str,
) -> Result<Vec<String>, StoreError> {
    Ok(on!(tx, conn => sqlx::query_scalar(
        "SELECT name FROM agents WHERE tenant = $1 AND look = $2 AND agent_id <> $3")
        .bind(tenant.as_str())
        .bind(name::look(name))
        .bind(id)
        .fetch_all(conn)
        .await)?)
}

/// The names of a tenant's other teams that look like this one.
pub(crate) async fn like_teams(
    tx: &mut Tx,
    tenant: &TenantId,
    id: Uuid,
    name: &str,
) -> Result<Vec<String>, StoreError> {
    Ok(on!(tx, conn => sqlx::query_scalar(
        "SELECT name FROM teams WHERE tenant = $1 AND look = $2 AND team_id <> $3")
        .bind(tenant.as_str())
        .bind(name::look(name))
        .bind(id)
        .fetch_all(conn)
        .await)?)
}

/// A name that a version before wrote.
type OldName = (String, Uuid, String);

/// Fills in the keys and looks that a version before did not write. Done once, at the first start after it.
pub(crate) async fn renew(db: &Db) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    let agents: Vec<OldName> = on!(tx, conn => sqlx::query_as(
        "SELECT tenant, agent_id, name FROM agents WHERE look = ''").fetch_all(conn).await)?;
    for (tenant, id, name) in agents {
        on!(tx, conn => sqlx::query("UPDATE agents SET name_key = $3, look = $4 WHERE tenant = $1 AND agent_id = $2")
            .bind(tenant).bind(id).bind(name::key(&name)).bind(name::look(&name)).execute(conn).await)?;
    }
    let teams: Vec<OldName> = on!(tx, conn => sqlx::query_as(
        "SELECT tenant, team_id, name FROM teams WHERE look = ''").fetch_all(conn).await)?;
    for (tenant, id, name) in teams {
        on!(tx, conn => sqlx::query("UPDATE teams SET name_key = $3, look = $4 WHERE tenant = $1 AND team_id = $2")
            .bind(tenant).bind(id).bind(name::key(&name)).bind(name::look(&name)).execute(conn).await)?;
    }
    tx.commit().await
}
