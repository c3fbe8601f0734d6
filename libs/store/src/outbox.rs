//! Events, written in the same transaction as the change that they report, and published from here.
//!
//! The outbox is the truth and the stream is a copy. The relay looks for rows that are *not yet published*; a cursor
//! (`WHERE position > last`) would skip, for good, a row whose transaction commits after a later one. Within an aggregate
//! the order is that of `sequence`, and a second event under the same number is refused by a unique index (E1, E2).

use uuid::Uuid;

use crate::{Db, StoreError, Tx, on};

/// The most rows that one call reads, marks or deletes: a statement stays short, and below `SQLite`'s parameter limit.
pub const MAX_BATCH: usize = 2_000;
/// The most rows that one statement writes. Each number of rows is another statement in the connection's cache, which holds
/// a hundred; a change has a few events.
const ROWS_A_STATEMENT: usize = 32;

/// One event, as it waits to be published.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct OutboxRow {
    /// The event's id on its whole way, also the bus's message id: repeated publishing is recognised by it.
    pub id: Uuid,
    pub tenant: String,
    /// `interaction/0192…`, `agent/0192…`.
    pub aggregate: String,
    /// 1, 2, 3… within the aggregate, without holes.
    pub sequence: i64,
    /// In the past tense: `transfer.completed`.
    pub event_type: String,
    /// The service that publishes it: `transfer`, `presence`, `routing`, `recording`, `telephony`.
    pub area: String,
    /// An encoded `baton.event.v1.EventData`.
    pub payload: Vec<u8>,
    /// The actor that caused it: an agent's id, `system`, `customer`.
    pub actor: String,
    /// W3C trace context of the change that wrote it; empty without a trace.
    pub traceparent: String,
    /// Microseconds since the Unix epoch.
    pub time_us: i64,
}

/// Writes events with the change. The caller numbers them; see [`next_sequence`] for aggregates without a counter.
pub async fn append(tx: &mut Tx, rows: &[OutboxRow]) -> Result<(), StoreError> {
    for some in rows.chunks(ROWS_A_STATEMENT) {
        insert(tx, some).await?;
    }
    if !rows.is_empty() {
        tx.note_events();
    }
    Ok(())
}

async fn insert(tx: &mut Tx, rows: &[OutboxRow]) -> Result<(), StoreError> {
    on!(tx, conn => {
        let mut query = sqlx::QueryBuilder::new(
            "INSERT INTO store_outbox
                 (id, tenant, aggregate, sequence, event_type, area, payload, actor, traceparent, time_us) ");
        query.push_values(rows, |mut values, row| {
            values
                .push_bind(row.id)
                .push_bind(&row.tenant)
                .push_bind(&row.aggregate)
                .push_bind(row.sequence)
                .push_bind(&row.event_type)
                .push_bind(&row.area)
                .push_bind(&row.payload)
                .push_bind(&row.actor)
                .push_bind(&row.traceparent)
                .push_bind(row.time_us);
        });
        query.build().execute(conn).await
    })?;
    Ok(())
}

/// The next number of an aggregate that keeps no counter of its own. It is rolled back with the transaction, so there are no
/// holes.
pub async fn next_sequence(tx: &mut Tx, tenant: &str, aggregate: &str) -> Result<i64, StoreError> {
    Ok(on!(tx, conn => sqlx::query_scalar(
        "INSERT INTO store_sequences (tenant, aggregate, last) VALUES ($1, $2, 1)
         ON CONFLICT (tenant, aggregate) DO UPDATE SET last = store_sequences.last + 1
         RETURNING last")
        .bind(tenant)
        .bind(aggregate)
        .fetch_one(conn)
        .await)?)
}

/// Begins to count anew, for an aggregate of which there will be no more events.
pub async fn forget_sequence(tx: &mut Tx, tenant: &str, aggregate: &str) -> Result<(), StoreError> {
    on!(tx, conn => sqlx::query("DELETE FROM store_sequences WHERE tenant = $1 AND aggregate = $2")
        .bind(tenant)
        .bind(aggregate)
        .execute(conn)
        .await)?;
    Ok(())
}

/// Rows that are not published yet, in the order of writing; at most `limit` and [`MAX_BATCH`]. All are durable: a published
/// event can't be taken back.
pub async fn unpublished(db: &Db, limit: usize) -> Result<Vec<OutboxRow>, StoreError> {
    let mut reader = db.read().await?;
    let rows: Vec<OutboxRow> = on!(reader, conn => sqlx::query_as(
        "SELECT id, tenant, aggregate, sequence, event_type, area, payload, actor, traceparent, time_us
         FROM store_outbox WHERE published_us IS NULL ORDER BY position LIMIT $1")
        .bind(limit.min(MAX_BATCH) as i64)
        .fetch_all(conn)
        .await)?;
    drop(reader);
    if !rows.is_empty() {
        db.settled().await?;
    }
    Ok(rows)
}

/// Records that the bus has these events. Marking twice keeps the first time. The mark is durable with the next commit: a
/// relay that restarts before that publishes again, and the bus recognises the ids.
pub async fn mark_published(db: &Db, ids: &[Uuid], at_us: i64) -> Result<(), StoreError> {
    for chunk in ids.chunks(MAX_BATCH) {
        let mut tx = db.begin().await?;
        on!(tx, conn => {
            let mut query = sqlx::QueryBuilder::new("UPDATE store_outbox SET published_us = ");
            query.push_bind(at_us).push(" WHERE published_us IS NULL AND id IN (");
            let mut list = query.separated(", ");
            for id in chunk {
                list.push_bind(*id);
            }
            query.push(")").build().persistent(false).execute(conn).await
        })?;
        tx.commit_lazily().await?;
    }
    Ok(())
}

/// Publishes again everything that happened since `since_us`, to rebuild a lost stream. Returns how many rows.
pub async fn republish(db: &Db, since_us: i64) -> Result<u64, StoreError> {
    let mut tx = db.begin().await?;
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE store_outbox SET published_us = NULL WHERE time_us >= $1 AND published_us IS NOT NULL")
        .bind(since_us)
        .execute(conn)
        .await)?
    .rows_affected();
    tx.note_events();
    tx.commit().await?;
    Ok(rows)
}

/// Deletes at most [`MAX_BATCH`] rows that were published before then. Returns how many; call again until it is 0.
pub async fn prune(db: &Db, published_before_us: i64) -> Result<u64, StoreError> {
    let mut tx = db.begin().await?;
    let rows = on!(tx, conn => sqlx::query(
        "DELETE FROM store_outbox WHERE position IN
             (SELECT position FROM store_outbox WHERE published_us < $1 ORDER BY published_us LIMIT $2)")
        .bind(published_before_us)
        .bind(MAX_BATCH as i64)
        .execute(conn)
        .await)?
    .rows_affected();
    tx.commit().await?;
    Ok(rows)
}
