//! Names that look alike, of agents, of teams and of sites.

use baton_api::name;
use baton_runtime::auth::TenantId;
use baton_store::{Affected as _, Db, StoreError, Tx, change, on};
use uuid::Uuid;

/// The statements about the names of one sort of thing: they differ in the table and its key alone.
#[derive(Debug)]
pub(crate) struct NamedTable {
    /// The names of a tenant's others that look like this one.
    alike: &'static str,
    /// Those that a version before wrote, without a look or a shape.
    old: &'static str,
    renew: &'static str,
}

pub(crate) const AGENTS: NamedTable = NamedTable {
    alike: "SELECT name FROM agents WHERE tenant = $1 AND (look = $2 OR shape = $4) AND agent_id <> $3",
    old: "SELECT tenant, agent_id, name FROM agents WHERE look = '' OR shape = ''",
    renew: "UPDATE agents SET name_key = $3, look = $4, shape = $5 WHERE tenant = $1 AND agent_id = $2",
};
pub(crate) const TEAMS: NamedTable = NamedTable {
    alike: "SELECT name FROM teams WHERE tenant = $1 AND (look = $2 OR shape = $4) AND team_id <> $3",
    old: "SELECT tenant, team_id, name FROM teams WHERE look = '' OR shape = ''",
    renew: "UPDATE teams SET name_key = $3, look = $4, shape = $5 WHERE tenant = $1 AND team_id = $2",
};

pub(crate) const SITES: NamedTable = NamedTable {
    alike: "SELECT name FROM sites WHERE tenant = $1 AND (look = $2 OR shape = $4) AND site_id <> $3",
    old: "SELECT tenant, site_id, name FROM sites WHERE look = '' OR shape = ''",
    renew: "UPDATE sites SET name_key = $3, look = $4, shape = $5 WHERE tenant = $1 AND site_id = $2",
};

/// The names of a tenant's others of this sort that look like this one.
pub(crate) async fn alike(
    tx: &mut Tx,
    table: &NamedTable,
    tenant: &TenantId,
    id: Uuid,
    name: &str,
) -> Result<Vec<String>, StoreError> {
    Ok(on!(tx, conn => sqlx::query_scalar(table.alike)
        .bind(tenant.as_str())
        .bind(name::look(name))
        .bind(id)
        .bind(name::shape(name))
        .fetch_all(conn)
        .await)?)
}

/// Fills in the keys, looks and shapes that a version before did not write. Done once, at the first start after it.
pub(crate) async fn renew(db: &Db) -> Result<(), StoreError> {
    db.change(change!(|tx| {
        for table in [AGENTS, TEAMS, SITES] {
            let old: Vec<(String, Uuid, String)> = on!(tx, conn => sqlx::query_as(table.old).fetch_all(conn).await)?;
            for (tenant, id, name) in old {
                let (key, look, shape) = (name::key(&name), name::look(&name), name::shape(&name));
                on!(tx, conn => {
                    sqlx::query(table.renew).bind(tenant).bind(id).bind(key).bind(look).bind(shape).affected(conn).await
                })?;
            }
        }
        Ok(())
    }))
    .await
}
