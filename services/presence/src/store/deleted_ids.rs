//! The ids of what was deleted (S6).

use baton_runtime::auth::TenantId;
use baton_store::{StoreError, Tx, on};
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeletedSort {
    Agent,
    Team,
}

impl DeletedSort {
    fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Team => "team",
        }
    }
}

pub(crate) async fn insert(
    tx: &mut Tx,
    tenant: &TenantId,
    what: DeletedSort,
    id: Uuid,
    now_us: i64,
) -> Result<(), StoreError> {
    tx.statement(
        "INSERT INTO deleted_ids (tenant, what, id, deleted_us) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    )
    .bind(tenant.as_str())
    .bind(what.name())
    .bind(id)
    .bind(now_us)
    .run()
    .await?;
    Ok(())
}

/// It was the id of something that is gone.
pub(crate) async fn contains(tx: &mut Tx, tenant: &TenantId, what: DeletedSort, id: Uuid) -> Result<bool, StoreError> {
    let found: Option<i64> = on!(tx, conn => sqlx::query_scalar(
        "SELECT deleted_us FROM deleted_ids WHERE tenant = $1 AND what = $2 AND id = $3")
        .bind(tenant.as_str())
        .bind(what.name())
        .bind(id)
        .fetch_optional(conn)
        .await)?;
    Ok(found.is_some())
}

/// The agents who were deleted, of every tenant.
pub(crate) async fn agents(tx: &mut Tx) -> Result<Vec<(TenantId, String)>, StoreError> {
    let rows: Vec<(String, Uuid)> = on!(tx, conn => sqlx::query_as(
        "SELECT tenant, id FROM deleted_ids WHERE what = 'agent'").fetch_all(conn).await)?;
    rows.into_iter().map(|(tenant, id)| Ok((super::tenant(tenant, "deleted_ids", "")?, id.to_string()))).collect()
}
