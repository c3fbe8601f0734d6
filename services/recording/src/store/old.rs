//! Deleting what is old.

use baton_store::{StoreError, Tx, on, outbox};

/// A recording whose audio is gone.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct PurgedRecording {
    tenant: String,
    recording_id: String,
    interaction_id: String,
}

/// Some of those that ended before then, the oldest first.
pub(crate) async fn purged_before(
    tx: &mut Tx,
    ended_before_us: i64,
    limit: i64,
) -> Result<Vec<PurgedRecording>, StoreError> {
    Ok(on!(tx, conn => sqlx::query_as(
        "SELECT tenant, recording_id, interaction_id FROM recordings
         WHERE purged_us IS NOT NULL AND end_us < $1 ORDER BY end_us LIMIT $2")
        .bind(ended_before_us)
        .bind(limit)
        .fetch_all(conn)
        .await)?)
}

/// Deletes what is known of it; with the last one of its interaction the count of that interaction's events.
pub(crate) async fn delete(tx: &mut Tx, it: &PurgedRecording) -> Result<(), StoreError> {
    for statement in [
        "DELETE FROM recording_agents WHERE tenant = $1 AND recording_id = $2",
        "DELETE FROM segments WHERE tenant = $1 AND recording_id = $2",
        "DELETE FROM exclusions WHERE tenant = $1 AND recording_id = $2",
        "DELETE FROM recordings WHERE tenant = $1 AND recording_id = $2",
    ] {
        on!(tx, conn => sqlx::query(statement).bind(&it.tenant).bind(&it.recording_id).execute(conn).await)?;
    }
    let left: i64 = on!(tx, conn => sqlx::query_scalar(
        "SELECT COUNT(*) FROM recordings WHERE tenant = $1 AND interaction_id = $2")
        .bind(&it.tenant)
        .bind(&it.interaction_id)
        .fetch_one(conn)
        .await)?;
    if left == 0 {
        outbox::forget_sequence(tx, &it.tenant, &format!("interaction/{}", it.interaction_id)).await?;
    }
    Ok(())
}

/// Deletes entries of the access log from before then. Returns how many.
pub(crate) async fn delete_downloads(tx: &mut Tx, before_us: i64, limit: i64) -> Result<u64, StoreError> {
    let deleted = on!(tx, conn => sqlx::query(
        "DELETE FROM downloads WHERE id IN (SELECT id FROM downloads WHERE at_us < $1 ORDER BY at_us LIMIT $2)")
        .bind(before_us)
        .bind(limit)
        .execute(conn)
        .await)?;
    Ok(deleted.rows_affected())
}
