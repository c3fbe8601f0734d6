//! Events, written in the same transaction as the change that they report, and published from here.
//!
//! The outbox is the truth and the stream is a copy. A row is written once and never marked: the relay goes on from a [cursor](OutboxCursor),
//! which the stream keeps beside the events that it was given. `SQLite` hands positions out and commits in one order, because it has one
//! writer at a time; so what comes after the cursor's position has not been read. Within an aggregate the order is that of `sequence`, and a
//! second event under the same number is refused by a unique index (E1, E2).

mod cursor;

use std::time::Duration;

use baton_sqlite::SqliteConnection;
use sqlx::PgConnection;
use uuid::Uuid;

pub use self::cursor::{InvalidCursor, OutboxCursor};
use crate::statement::rows_of_values;
use crate::{Affected as _, Conn, Db, StoreError, Tx, change, on};

/// The most rows that one call reads, marks or deletes: a statement stays short, and below `SQLite`'s parameter limit.
pub const MAX_BATCH: usize = 2_000;
/// How long a published event is kept: a lost stream can be rebuilt from what there is.
pub const KEPT: Duration = Duration::from_hours(30 * 24);
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
    let columns = "id, tenant, aggregate, sequence, event_type, area, payload, actor, traceparent, time_us";
    let values = rows_of_values(rows.len(), 10);
    let mut statement = tx.statement(format!("INSERT INTO store_outbox ({columns}) VALUES {values}"));
    for row in rows {
        statement = statement
            .bind(row.id)
            .bind(&row.tenant)
            .bind(&row.aggregate)
            .bind(row.sequence)
            .bind(&row.event_type)
            .bind(&row.area)
            .bind(&row.payload)
            .bind(&row.actor)
            .bind(&row.traceparent)
            .bind(row.time_us);
    }
    statement.run().await
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
    tx.statement("DELETE FROM store_sequences WHERE tenant = $1 AND aggregate = $2")
        .bind(tenant)
        .bind(aggregate)
        .run()
        .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Positioned {
    position: i64,
    #[sqlx(flatten)]
    row: OutboxRow,
}

/// The rows after a cursor, in the order of writing, at most `limit` and [`MAX_BATCH`]; and the cursor after them. All are durable: a
/// published event can't be taken back.
pub async fn after(db: &Db, cursor: &OutboxCursor, limit: usize) -> Result<(Vec<OutboxRow>, OutboxCursor), StoreError> {
    let limit = limit.min(MAX_BATCH);
    let mut reader = db.read().await?;
    let (rows, next) = match reader.ready().await? {
        Conn::Sqlite(conn) => after_position(conn, cursor, limit).await?,
        Conn::Postgres(conn) => after_snapshot(conn, cursor, limit).await?,
    };
    drop(reader);
    if !rows.is_empty() {
        db.settled().await?;
    }
    Ok((rows.into_iter().map(|it| it.row).collect(), next))
}

type Found = (Vec<Positioned>, OutboxCursor);

async fn after_position(conn: &mut SqliteConnection, cursor: &OutboxCursor, limit: usize) -> Result<Found, StoreError> {
    let rows: Vec<Positioned> = sqlx::query_as(
        "SELECT position, id, tenant, aggregate, sequence, event_type, area, payload, actor, traceparent, time_us
         FROM store_outbox WHERE position > $1 ORDER BY position LIMIT $2",
    )
    .bind(cursor.position)
    .bind(limit as i64)
    .fetch_all(conn)
    .await?;
    let position = rows.last().map_or(cursor.position, |it| it.position);
    Ok((rows, OutboxCursor { position, ..OutboxCursor::default() }))
}

/// Within a snapshot the order is that of positions. It is the order of writing within an aggregate, because a change gets its positions while it
/// has the aggregate.
async fn after_snapshot(conn: &mut PgConnection, cursor: &OutboxCursor, limit: usize) -> Result<Found, StoreError> {
    let to = match cursor.to.as_str() {
        "" => sqlx::query_scalar("SELECT pg_current_snapshot()::TEXT").fetch_one(&mut *conn).await?,
        to => to.to_owned(),
    };
    // The comparison of transactions is for the index: all that is older than the oldest of `FROM` could be seen in it.
    let rows: Vec<Positioned> = sqlx::query_as(
        "SELECT position, id, tenant, aggregate, sequence, event_type, area, payload, actor, traceparent, time_us
         FROM store_outbox
         WHERE ($1 = '' OR (xact >= pg_snapshot_xmin(NULLIF($1, '')::PG_SNAPSHOT)
                            AND NOT pg_visible_in_snapshot(xact, NULLIF($1, '')::PG_SNAPSHOT)))
           AND pg_visible_in_snapshot(xact, $2::PG_SNAPSHOT) AND position > $3
         ORDER BY position LIMIT $4",
    )
    .bind(&cursor.from)
    .bind(&to)
    .bind(cursor.position)
    .bind(limit as i64)
    .fetch_all(conn)
    .await?;
    let next = match rows.last() {
        Some(last) if rows.len() == limit => OutboxCursor { from: cursor.from.clone(), to, position: last.position },
        // Everything up to here is done: what comes next is what could not be seen.
        _ => OutboxCursor { from: to, to: String::new(), position: 0 },
    };
    Ok((rows, next))
}

/// Which of an aggregate's events are wanted.
#[derive(Debug, Clone, Copy)]
pub struct EventsOf<'a> {
    pub tenant: &'a str,
    pub aggregate: &'a str,
    /// A pattern of SQL on the type: `%` for all.
    pub types: &'a str,
    /// Only those after this sequence.
    pub after: i64,
    /// At most so many.
    pub limit: i64,
}

/// What is kept of an aggregate's events, in their order, published or not.
pub async fn of_aggregate(db: &Db, wanted: EventsOf<'_>) -> Result<Vec<OutboxRow>, StoreError> {
    let mut reader = db.read().await?;
    Ok(on!(reader, conn => sqlx::query_as(
        "SELECT id, tenant, aggregate, sequence, event_type, area, payload, actor, traceparent, time_us
         FROM store_outbox
         WHERE tenant = $1 AND aggregate = $2 AND sequence > $3 AND event_type LIKE $4
         ORDER BY sequence LIMIT $5")
        .bind(wanted.tenant)
        .bind(wanted.aggregate)
        .bind(wanted.after)
        .bind(wanted.types)
        .bind(wanted.limit)
        .fetch_all(conn)
        .await)?)
}

/// Whether the outbox has the event with this id.
pub async fn contains(db: &Db, id: Uuid) -> Result<bool, StoreError> {
    let mut reader = db.read().await?;
    let found: Option<i64> = on!(reader, conn => sqlx::query_scalar("SELECT position FROM store_outbox WHERE id = $1")
        .bind(id)
        .fetch_optional(conn)
        .await)?;
    Ok(found.is_some())
}

/// Whether a cursor can be one of this database. On `PostgreSQL` it is not if it knows transactions that are still to come: the database
/// was restored from an older copy, or into another server, and what it writes next would be taken for published.
pub async fn is_own(db: &Db, cursor: &OutboxCursor) -> Result<bool, StoreError> {
    let mut reader = db.read().await?;
    Ok(match reader.ready().await? {
        Conn::Sqlite(_) => true,
        Conn::Postgres(conn) => {
            sqlx::query_scalar(
                "SELECT COALESCE(GREATEST(pg_snapshot_xmax(NULLIF($1, '')::PG_SNAPSHOT),
                                          pg_snapshot_xmax(NULLIF($2, '')::PG_SNAPSHOT))
                                 <= pg_snapshot_xmax(pg_current_snapshot()), TRUE)",
            )
            .bind(&cursor.from)
            .bind(&cursor.to)
            .fetch_one(conn)
            .await?
        }
    })
}

/// Makes rows that another `PostgreSQL` server has written this one's, keeping their order: no snapshot of this one would ever show them.
pub async fn adopt(db: &Db) -> Result<(), StoreError> {
    db.change(change!(|tx| {
        if let Conn::Postgres(conn) = tx.ready().await? {
            sqlx::query(
                "UPDATE store_outbox SET xact = pg_current_xact_id() WHERE xact >= pg_snapshot_xmax(pg_current_snapshot())",
            )
            .affected(conn)
            .await?;
        }
        Ok(())
    }))
    .await
}

/// A copy of the stream's cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedCopy {
    /// Which stream it is of; empty for a database from before there were cursors.
    pub generation: String,
    pub cursor: OutboxCursor,
}

/// The copy that was kept last; `None` in a new database.
pub async fn published(db: &Db) -> Result<Option<PublishedCopy>, StoreError> {
    let mut reader = db.read().await?;
    let row: Option<(String, String)> = on!(reader, conn => sqlx::query_as(
        "SELECT generation, cursor FROM store_published").fetch_optional(conn).await)?;
    row.map(|(generation, cursor)| {
        let cursor = cursor.parse().map_err(|error: InvalidCursor| StoreError::Corrupt {
            table: "store_published",
            column: "cursor",
            row: generation.clone(),
            source: Some(error.into()),
        })?;
        Ok(PublishedCopy { generation, cursor })
    })
    .transpose()
}

/// Keeps a copy of the stream's cursor.
pub async fn keep_published(db: &Db, copy: &PublishedCopy) -> Result<(), StoreError> {
    db.change(change!(|tx| {
        tx.statement(
            "INSERT INTO store_published (id, generation, cursor) VALUES (1, $1, $2)
             ON CONFLICT (id) DO UPDATE SET generation = excluded.generation, cursor = excluded.cursor",
        )
        .bind(&copy.generation)
        .bind(copy.cursor.to_string())
        .run()
        .await?;
        Ok(())
    }))
    .await
}

/// Deletes at most [`MAX_BATCH`] rows that happened before then, and before this cursor: what is not published stays. Returns how many;
/// call again until it is 0.
pub async fn prune(db: &Db, before_us: i64, published: &OutboxCursor) -> Result<u64, StoreError> {
    db.change(change!(|tx| {
        let deleted = match tx.ready().await? {
            Conn::Sqlite(conn) => {
                sqlx::query(
                    "DELETE FROM store_outbox WHERE time_us < $1 AND position IN
                     (SELECT position FROM store_outbox WHERE position <= $2 ORDER BY position LIMIT $3)",
                )
                .bind(before_us)
                .bind(published.position)
                .bind(MAX_BATCH as i64)
                .affected(conn)
                .await?
            }
            Conn::Postgres(conn) => {
                sqlx::query(
                    "DELETE FROM store_outbox WHERE time_us < $1
                     AND $2 <> '' AND pg_visible_in_snapshot(xact, NULLIF($2, '')::PG_SNAPSHOT)
                     AND position IN (SELECT position FROM store_outbox ORDER BY position LIMIT $3)",
                )
                .bind(before_us)
                .bind(&published.from)
                .bind(MAX_BATCH as i64)
                .affected(conn)
                .await?
            }
        };
        Ok(deleted)
    }))
    .await
}
