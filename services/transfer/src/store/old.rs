//! Deleting what is old.

use baton_store::{Affected as _, Db, StoreError, Tx, on};
use baton_words::InteractionId;
use uuid::Uuid;

/// Interactions that one transaction deletes.
const BATCH: i64 = 200;
/// Versions of a policy that are kept although they are older than any interaction's: one that begins just now may have the one before the newest.
const SPARE_VERSIONS: i64 = 100;

/// The next tenant that has interactions, in the order of their names.
pub(crate) async fn tenant_after(db: &Db, tenant: &str) -> Result<Option<String>, StoreError> {
    let mut reader = db.read().await?;
    Ok(on!(reader, conn => sqlx::query_scalar("SELECT MIN(tenant) FROM interactions WHERE tenant > $1")
        .bind(tenant).fetch_one(conn).await)?)
}

/// Some of those that ended before then, the oldest first. Not one of whose end another service does not know yet.
pub(crate) async fn ended_before(tx: &mut Tx, tenant: &str, before_us: i64) -> Result<Vec<InteractionId>, StoreError> {
    let ids: Vec<Uuid> = on!(tx, conn => sqlx::query_scalar(
        "SELECT id FROM interactions WHERE tenant = $1 AND live = 0 AND acknowledged = 1 AND ended_at_us < $2
         ORDER BY ended_at_us LIMIT $3")
        .bind(tenant).bind(before_us).bind(BATCH).fetch_all(conn).await)?;
    Ok(ids.into_iter().map(InteractionId).collect())
}

/// Deletes these with everything of theirs.
pub(crate) async fn delete(tx: &mut Tx, ids: &[InteractionId]) -> Result<(), StoreError> {
    for of in [
        "DELETE FROM transfers WHERE interaction_id IN (",
        "DELETE FROM chat_messages WHERE interaction_id IN (",
        "DELETE FROM interaction_notes WHERE interaction_id IN (",
        "DELETE FROM interaction_agents WHERE interaction_id IN (",
        "DELETE FROM interaction_teams WHERE interaction_id IN (",
        "DELETE FROM interactions WHERE id IN (",
    ] {
        on!(tx, conn => {
            let mut query = sqlx::QueryBuilder::new(of);
            let mut list = query.separated(", ");
            for id in ids {
                list.push_bind(id.0);
            }
            query.push(")").build().persistent(false).affected(conn).await
        })?;
    }
    Ok(())
}

/// Deletes the versions of a tenant's policy from before its oldest interaction.
pub(crate) async fn delete_policies(tx: &mut Tx, tenant: &str) -> Result<(), StoreError> {
    on!(tx, conn => sqlx::query(
        "DELETE FROM policies WHERE tenant = $1
             AND version < (SELECT policy_version FROM interactions WHERE tenant = $1 ORDER BY id LIMIT 1) - $2")
        .bind(tenant).bind(SPARE_VERSIONS).affected(conn).await)?;
    Ok(())
}
