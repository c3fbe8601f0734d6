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

/// Deletes what is known of it.
pub(crate) async fn delete(tx: &mut Tx, it: &PurgedRecording) -> Result<(), StoreError> {
    for statement in [
        "DELETE FROM recording_agents WHERE tenant = $1 AND recording_id = $2",
        "DELETE FROM segments WHERE tenant = $1 AND recording_id = $2",
        "DELETE FROM exclusions WHERE tenant = $1 AND recording_id = $2",
        "DELETE FROM recordings WHERE tenant = $1 AND recording_id = $2",
    ] {
        tx.statement(statement).bind(&it.tenant).bind(&it.recording_id).run().await?;
    }
    forget_events_after_the_last(tx, &it.tenant, &it.interaction_id).await
}

/// Forgets how many events of the interaction there were, once nothing of it is left here.
async fn forget_events_after_the_last(tx: &mut Tx, tenant: &str, interaction_id: &str) -> Result<(), StoreError> {
    let left: bool = on!(tx, conn => sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM recordings WHERE tenant = $1 AND interaction_id = $2)
             OR EXISTS (SELECT 1 FROM messages WHERE tenant = $1 AND interaction_id = $2)")
        .bind(tenant)
        .bind(interaction_id)
        .fetch_one(conn)
        .await)?;
    if !left {
        outbox::forget_sequence(tx, tenant, &format!("interaction/{interaction_id}")).await?;
    }
    Ok(())
}

/// Deletes what is known of visits to voicemail boxes from before then of which no audio is left. Returns how many.
pub(crate) async fn delete_messages(tx: &mut Tx, before_us: i64, limit: i64) -> Result<usize, StoreError> {
    let deleted: Vec<(String, String)> = on!(tx, conn => sqlx::query_as(
        "DELETE FROM messages WHERE (tenant, message_id) IN
             (SELECT tenant, message_id FROM messages
              WHERE (state = 'NONE' OR purged_us IS NOT NULL) AND left_us < $1 ORDER BY left_us LIMIT $2)
         RETURNING tenant, interaction_id")
        .bind(before_us)
        .bind(limit)
        .fetch_all(conn)
        .await)?;
    for (tenant, interaction_id) in &deleted {
        forget_events_after_the_last(tx, tenant, interaction_id).await?;
    }
    Ok(deleted.len())
}

/// Deletes entries of the access log from before then. Returns how many.
pub(crate) async fn delete_downloads(tx: &mut Tx, before_us: i64, limit: i64) -> Result<u64, StoreError> {
    let deleted = tx
        .statement(
            "DELETE FROM downloads WHERE id IN (SELECT id FROM downloads WHERE at_us < $1 ORDER BY at_us LIMIT $2)",
        )
        .bind(before_us)
        .bind(limit)
        .affected()
        .await?;
    Ok(deleted)
}
