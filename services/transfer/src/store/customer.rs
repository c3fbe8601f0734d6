//! The interactions of one customer, by their pseudonym.

use crate::live::Live;
use baton_domain::project::TransferRecord;
use baton_store::{Db, StoreError, Tx, on};
use baton_words::InteractionId;
use uuid::Uuid;

/// One that is live, or of whose end another service does not know yet.
pub(crate) async fn unfinished(db: &Db, tenant: &str, key: &str) -> Result<Option<InteractionId>, StoreError> {
    let mut reader = db.read().await?;
    let id: Option<Uuid> = on!(reader, conn => sqlx::query_scalar(
        "SELECT id FROM interactions WHERE tenant = $1 AND customer_key = $2 AND (live = 1 OR acknowledged = 0) LIMIT 1")
        .bind(tenant).bind(key).fetch_optional(conn).await)?;
    Ok(id.map(InteractionId))
}

/// So many that began after this one, the oldest first.
pub(crate) async fn after(
    db: &Db,
    (tenant, key): (&str, &str),
    after: InteractionId,
    limit: i64,
) -> Result<Vec<InteractionId>, StoreError> {
    let mut reader = db.read().await?;
    let ids: Vec<Uuid> = on!(reader, conn => sqlx::query_scalar(
        "SELECT id FROM interactions WHERE tenant = $1 AND customer_key = $2 AND id > $3 ORDER BY id LIMIT $4")
        .bind(tenant).bind(key).bind(after.0).bind(limit).fetch_all(conn).await)?;
    Ok(ids.into_iter().map(InteractionId).collect())
}

/// Erases who the customer is, and returns the interaction without them. Nothing follows from it anywhere else.
pub(crate) async fn forget(tx: &mut Tx, before: &Live) -> Result<Live, StoreError> {
    let mut live = before.clone();
    live.state.forget_customer();
    if !super::interactions::advance(tx, before, &live).await? {
        return Err(StoreError::Overtaken(None));
    }
    super::notes::erase(tx, live.id).await?;
    super::messages::erase(tx, live.id).await?;
    super::interactions::acknowledge(tx, &live).await?;
    for transfer in live.journey.iter().filter_map(TransferRecord::of_hop) {
        super::transfers::put(tx, &live, &transfer, "").await?;
    }
    Ok(live)
}
