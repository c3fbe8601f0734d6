//! What a consumer remembers: the events that it acted upon, how far it has read, and its dead letters.
//!
//! All three are written in the transaction of the effect itself. So an event has its effect once, however often it is
//! delivered: the cursor covers a restart, the inbox covers a stream that was rebuilt and numbers its events anew.

use uuid::Uuid;

use crate::{Db, StoreError, Tx, on};

/// The most rows that one [`prune`] deletes or [`dead_letters`] returns.
pub const MAX_BATCH: usize = 2_000;

/// An event that a consumer could not act upon, kept with the cause.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct DeadLetter {
    pub consumer: String,
    pub event_id: Uuid,
    /// In the event log.
    pub position: i64,
    pub tenant: String,
    pub aggregate: String,
    /// Within the aggregate.
    pub sequence: i64,
    pub event_type: String,
    /// An encoded `baton.event.v1.EventData`.
    pub payload: Vec<u8>,
    pub tries: i64,
    /// Of the last try's failure.
    pub cause: String,
    /// When the consumer gave up.
    pub at_us: i64,
}

/// Records that the consumer acts upon the event now; `false` if it has done so before.
pub async fn first_time(tx: &mut Tx, consumer: &str, event_id: Uuid, at_us: i64) -> Result<bool, StoreError> {
    let rows = tx
        .statement("INSERT INTO store_inbox (consumer, event_id, at_us) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
        .bind(consumer)
        .bind(event_id)
        .bind(at_us)
        .affected()
        .await?;
    Ok(rows == 1)
}

/// How far the consumer has read; `None` before its first event.
pub async fn cursor(db: &Db, consumer: &str) -> Result<Option<i64>, StoreError> {
    let mut reader = db.read().await?;
    Ok(on!(reader, conn => sqlx::query_scalar("SELECT position FROM store_cursors WHERE consumer = $1")
        .bind(consumer)
        .fetch_optional(conn)
        .await)?)
}

pub async fn advance(tx: &mut Tx, consumer: &str, position: i64) -> Result<(), StoreError> {
    tx.statement(
        "INSERT INTO store_cursors (consumer, position) VALUES ($1, $2)
         ON CONFLICT (consumer) DO UPDATE SET position = excluded.position",
    )
    .bind(consumer)
    .bind(position)
    .run()
    .await?;
    Ok(())
}

/// Deletes the cursors whose names begin with this text.
pub async fn forget_cursors(db: &Db, beginning: &str) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    tx.statement("DELETE FROM store_cursors WHERE substr(consumer, 1, length($1)) = $1").bind(beginning).run().await?;
    tx.commit().await
}

/// Records that the consumer gave up on an event, so that the others can go on (E5).
pub async fn add_dead_letter(tx: &mut Tx, letter: &DeadLetter) -> Result<(), StoreError> {
    tx.statement(
        "INSERT INTO store_dead_letters
             (consumer, event_id, position, tenant, aggregate, sequence, event_type, payload, tries, cause, at_us)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
    )
    .bind(&letter.consumer)
    .bind(letter.event_id)
    .bind(letter.position)
    .bind(&letter.tenant)
    .bind(&letter.aggregate)
    .bind(letter.sequence)
    .bind(&letter.event_type)
    .bind(&letter.payload)
    .bind(letter.tries)
    .bind(&letter.cause)
    .bind(letter.at_us)
    .run()
    .await?;
    Ok(())
}

/// Oldest first; at most `limit` and [`MAX_BATCH`].
pub async fn dead_letters(db: &Db, consumer: &str, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
    let mut reader = db.read().await?;
    Ok(on!(reader, conn => sqlx::query_as(
        "SELECT consumer, event_id, position, tenant, aggregate, sequence, event_type, payload, tries, cause, at_us
         FROM store_dead_letters WHERE consumer = $1 ORDER BY position LIMIT $2")
        .bind(consumer)
        .bind(limit.min(MAX_BATCH) as i64)
        .fetch_all(conn)
        .await)?)
}

/// How many there are, of all consumers.
pub async fn count_dead_letters(db: &Db) -> Result<i64, StoreError> {
    let mut reader = db.read().await?;
    Ok(on!(reader, conn => sqlx::query_scalar("SELECT COUNT(*) FROM store_dead_letters").fetch_one(conn).await)?)
}

/// Deletes inbox rows and dead letters from before `before_us`, at most [`MAX_BATCH`] of each. Keep them for longer than the
/// log keeps events, and not for ever: a dead letter has the event's personal data in it.
pub async fn prune(db: &Db, before_us: i64) -> Result<u64, StoreError> {
    let mut tx = db.begin().await?;
    let mut rows = 0;
    for statement in [
        "DELETE FROM store_inbox WHERE (consumer, event_id) IN
             (SELECT consumer, event_id FROM store_inbox WHERE at_us < $1 LIMIT $2)",
        "DELETE FROM store_dead_letters WHERE (consumer, event_id) IN
             (SELECT consumer, event_id FROM store_dead_letters WHERE at_us < $1 LIMIT $2)",
    ] {
        let deleted = tx.statement(statement).bind(before_us).bind(MAX_BATCH as i64).affected().await?;
        rows += deleted;
    }
    tx.commit().await?;
    Ok(rows)
}
