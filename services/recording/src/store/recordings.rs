//! Recordings, one per tenure: the facts from events, and the state.

use baton_store::{Db, StoreError, Tx, on};

use crate::state::RecordingState;

/// The beginning of a tenure, from which on it is recorded.
#[derive(Debug, Clone)]
pub(crate) struct TenureStart<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) recording_id: &'a str,
    pub(crate) interaction_id: &'a str,
    pub(crate) number: i64,
    pub(crate) agent_id: &'a str,
    pub(crate) phone_number: &'a str,
    pub(crate) customer: &'a str,
    pub(crate) customer_key: &'a str,
    pub(crate) direction: i32,
    pub(crate) start_us: i64,
    pub(crate) expire_us: i64,
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Row {
    pub(crate) tenant: String,
    pub(crate) recording_id: String,
    pub(crate) interaction_id: String,
    pub(crate) number: i64,
    state: String,
    pub(crate) agent_id: String,
    pub(crate) phone_number: String,
    pub(crate) customer: String,
    pub(crate) customer_key: String,
    pub(crate) direction: i64,
    pub(crate) start_us: i64,
    pub(crate) end_us: Option<i64>,
    /// No segment of it is new any more.
    pub(crate) end_seen: bool,
    pub(crate) expire_us: i64,
    pub(crate) deleted_by: String,
}

impl Row {
    pub(crate) fn state(&self) -> Result<RecordingState, StoreError> {
        RecordingState::parse(&self.state).ok_or_else(|| super::corrupt("recordings", "state", &self.recording_id))
    }
}

/// One recording, if this agent is heard in it; empty `agent_id`: without this condition.
pub(crate) async fn lookup(
    db: &Db,
    tenant: &str,
    recording_id: &str,
    agent_id: &str,
) -> Result<Option<Row>, StoreError> {
    let mut reader = db.read().await?;
    Ok(on!(reader, conn => sqlx::query_as(
        "SELECT r.* FROM recordings r
         WHERE r.tenant = $1 AND r.recording_id = $2
           AND ($3 = '' OR EXISTS (SELECT 1 FROM recording_agents a
                WHERE a.tenant = r.tenant AND a.recording_id = r.recording_id AND a.agent_id = $3))")
        .bind(tenant)
        .bind(recording_id)
        .bind(agent_id)
        .fetch_optional(conn)
        .await)?)
}

/// Locks a recording and what belongs to it, whether it is there or not: of two segments that are stored at once, the second one's change sees
/// that it is the last (R4).
pub(crate) async fn lock(tx: &mut Tx, tenant: &str, recording_id: &str) -> Result<(), StoreError> {
    tx.lock([format!("recording/{tenant}/{recording_id}")]).await
}

/// Reads the recording within a transaction.
pub(crate) async fn load(tx: &mut Tx, tenant: &str, recording_id: &str) -> Result<Option<Row>, StoreError> {
    Ok(on!(tx, conn => sqlx::query_as("SELECT * FROM recordings WHERE tenant = $1 AND recording_id = $2")
        .bind(tenant)
        .bind(recording_id)
        .fetch_optional(conn)
        .await)?)
}

/// Inserts the recording; does nothing if it exists.
pub(crate) async fn begin(tx: &mut Tx, it: &TenureStart<'_>) -> Result<(), StoreError> {
    tx.statement(
        "INSERT INTO recordings (tenant, recording_id, interaction_id, number, state, agent_id, phone_number, customer,
                                 direction, start_us, expire_us, customer_key)
         VALUES ($1, $2, $3, $4, 'RECORDING', $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
    )
    .bind(it.tenant)
    .bind(it.recording_id)
    .bind(it.interaction_id)
    .bind(it.number)
    .bind(it.agent_id)
    .bind(it.phone_number)
    .bind(it.customer)
    .bind(i64::from(it.direction))
    .bind(it.start_us)
    .bind(it.expire_us)
    .bind(it.customer_key)
    .run()
    .await?;
    Ok(())
}

/// Records the end of the tenure, after which no segment is new.
pub(crate) async fn end(
    tx: &mut Tx,
    tenant: &str,
    recording_id: &str,
    end_us: i64,
    expire_us: i64,
) -> Result<(), StoreError> {
    tx.statement(
        "UPDATE recordings SET end_us = $3, expire_us = $4, end_seen = TRUE WHERE tenant = $1 AND recording_id = $2",
    )
    .bind(tenant)
    .bind(recording_id)
    .bind(end_us)
    .bind(expire_us)
    .run()
    .await?;
    Ok(())
}

/// Records the end of the interaction as the end of its tenures that have none. Their own ends may still come.
pub(crate) async fn end_all(
    tx: &mut Tx,
    tenant: &str,
    interaction_id: &str,
    end_us: i64,
    expire_us: i64,
) -> Result<(), StoreError> {
    tx.statement(
        "UPDATE recordings SET end_us = $3, expire_us = $4
         WHERE tenant = $1 AND interaction_id = $2 AND end_us IS NULL",
    )
    .bind(tenant)
    .bind(interaction_id)
    .bind(end_us)
    .bind(expire_us)
    .run()
    .await?;
    Ok(())
}

pub(crate) async fn set_state(
    tx: &mut Tx,
    tenant: &str,
    recording_id: &str,
    state: RecordingState,
) -> Result<(), StoreError> {
    tx.statement("UPDATE recordings SET state = $3 WHERE tenant = $1 AND recording_id = $2")
        .bind(tenant)
        .bind(recording_id)
        .bind(state.name())
        .run()
        .await?;
    Ok(())
}

/// Records that `recording.stored` is published. `false` if it was before.
pub(crate) async fn announce(tx: &mut Tx, tenant: &str, recording_id: &str) -> Result<bool, StoreError> {
    let rows = tx
        .statement("UPDATE recordings SET announced = TRUE WHERE tenant = $1 AND recording_id = $2 AND NOT announced")
        .bind(tenant)
        .bind(recording_id)
        .affected()
        .await?;
    Ok(rows == 1)
}

/// After this the recording can't be downloaded; its audio is [purged](purged) next. `by` is an actor. `false` if it was
/// marked before.
pub(crate) async fn mark_deleted(
    tx: &mut Tx,
    tenant: &str,
    recording_id: &str,
    by: &str,
    now_us: i64,
) -> Result<bool, StoreError> {
    let rows = tx
        .statement(
            "UPDATE recordings SET state = 'DELETED', deleted_us = $4, deleted_by = $3
         WHERE tenant = $1 AND recording_id = $2 AND deleted_us IS NULL",
        )
        .bind(tenant)
        .bind(recording_id)
        .bind(by)
        .bind(now_us)
        .affected()
        .await?;
    Ok(rows == 1)
}

/// Records that the audio was removed, and clears the customer's number. `false` if that was recorded before.
pub(crate) async fn purged(tx: &mut Tx, tenant: &str, recording_id: &str, now_us: i64) -> Result<bool, StoreError> {
    let rows = tx
        .statement(
            "UPDATE recordings SET purged_us = $3, customer = ''
         WHERE tenant = $1 AND recording_id = $2 AND deleted_us IS NOT NULL AND purged_us IS NULL",
        )
        .bind(tenant)
        .bind(recording_id)
        .bind(now_us)
        .affected()
        .await?;
    Ok(rows == 1)
}

/// Recordings that have expired and are not marked as deleted, oldest first.
pub(crate) async fn expired(db: &Db, now_us: i64, limit: i64) -> Result<Vec<Row>, StoreError> {
    let mut reader = db.read().await?;
    Ok(on!(reader, conn => sqlx::query_as(
        "SELECT * FROM recordings WHERE deleted_us IS NULL AND end_us IS NOT NULL AND expire_us <= $1
         ORDER BY expire_us LIMIT $2")
        .bind(now_us)
        .bind(limit)
        .fetch_all(conn)
        .await)?)
}

/// Deleted recordings whose audio may still be in the storage.
pub(crate) async fn unpurged(db: &Db, limit: i64) -> Result<Vec<Row>, StoreError> {
    let mut reader = db.read().await?;
    Ok(on!(reader, conn => sqlx::query_as(
        "SELECT * FROM recordings WHERE deleted_us IS NOT NULL AND purged_us IS NULL ORDER BY deleted_us LIMIT $1")
        .bind(limit)
        .fetch_all(conn)
        .await)?)
}

/// The customer's recordings of which there may be audio.
pub(crate) async fn of_customer(db: &Db, tenant: &str, customer_key: &str) -> Result<Vec<Row>, StoreError> {
    let mut reader = db.read().await?;
    Ok(on!(reader, conn => sqlx::query_as(
        "SELECT * FROM recordings WHERE tenant = $1 AND customer_key = $2 AND purged_us IS NULL")
        .bind(tenant)
        .bind(customer_key)
        .fetch_all(conn)
        .await)?)
}

/// Recordings that ended before then and still wait for audio.
pub(crate) async fn waiting_since(db: &Db, ended_before_us: i64, limit: i64) -> Result<Vec<Row>, StoreError> {
    let mut reader = db.read().await?;
    Ok(on!(reader, conn => sqlx::query_as(
        "SELECT * FROM recordings WHERE state = 'RECORDING' AND end_us < $1 ORDER BY end_us LIMIT $2")
        .bind(ended_before_us)
        .bind(limit)
        .fetch_all(conn)
        .await)?)
}
