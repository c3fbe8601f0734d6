//! The log's statements.

use std::ops::Range;

use baton_store::{Db, Tx, on};
use uuid::Uuid;

use crate::{BusError, Envelope, EventMatcher, Logged};

/// The most events in one deletion, for which appenders have to wait.
pub(super) const PRUNE_BATCH: u64 = 2_000;
/// The most events that one statement appends. Each number of events is another statement in the connection's cache, which
/// holds a hundred.
const ROWS_A_STATEMENT: usize = 32;

#[derive(sqlx::FromRow)]
pub(super) struct LogHeadRow {
    pub(super) last: i64,
    pub(super) generation: Uuid,
}

/// Inserted at the first start.
pub(super) async fn head(db: &Db, generation: Uuid) -> Result<LogHeadRow, BusError> {
    let mut tx = db.begin().await?;
    let head = on!(tx, conn => {
        sqlx::query("INSERT INTO log_head (id, last, generation) VALUES (1, 0, $1) ON CONFLICT DO NOTHING")
            .bind(generation)
            .execute(&mut *conn)
            .await?;
        sqlx::query_as("SELECT last, generation FROM log_head").fetch_one(conn).await
    })?;
    tx.commit().await?;
    Ok(head)
}

/// Appends the events that are not in the log yet; returns the last position.
pub(super) async fn append(tx: &mut Tx, events: &[Envelope], now_us: i64) -> Result<u64, BusError> {
    let mut last = 0;
    for some in events.chunks(ROWS_A_STATEMENT) {
        let appended = insert(tx, some, now_us).await?;
        last = advance(tx, appended).await?;
    }
    Ok(last as u64)
}

/// Inserts the new ones among the events. They are numbered in the statement itself, so that a repeated event leaves no hole.
/// Returns how many are new.
async fn insert(tx: &mut Tx, events: &[Envelope], now_us: i64) -> Result<u64, BusError> {
    let rows = on!(tx, conn => {
        let mut query = sqlx::QueryBuilder::new(
            "WITH given (place, id, tenant, aggregate, sequence, event_type, area, payload, actor, traceparent, time_us,
                         appended_us) AS (");
        query.push_values((1_i64..).zip(events), |mut values, (place, event)| {
            values
                .push_bind(place)
                .push_bind(event.id)
                .push_bind(&event.tenant)
                .push_bind(&event.aggregate)
                .push_bind(event.sequence)
                .push_bind(&event.event_type)
                .push_bind(&event.area)
                .push_bind(&event.payload)
                .push_bind(&event.actor)
                .push_bind(&event.traceparent)
                .push_bind(event.time_us)
                .push_bind(now_us);
        });
        query.push(
            ") INSERT INTO log_events
                 (seq, id, tenant, aggregate, sequence, event_type, area, payload, actor, traceparent, time_us, appended_us)
             SELECT (SELECT last FROM log_head) + ROW_NUMBER() OVER (ORDER BY place),
                    id, tenant, aggregate, sequence, event_type, area, payload, actor, traceparent, time_us, appended_us
             FROM given WHERE NOT EXISTS (SELECT 1 FROM log_events WHERE log_events.id = given.id)");
        query.build().execute(conn).await
    })?;
    Ok(rows.rows_affected())
}

async fn advance(tx: &mut Tx, by: u64) -> Result<i64, BusError> {
    Ok(on!(tx, conn => sqlx::query_scalar("UPDATE log_head SET last = last + $1 RETURNING last")
        .bind(by as i64)
        .fetch_one(conn)
        .await)?)
}

#[derive(sqlx::FromRow)]
struct LogRow {
    seq: i64,
    #[sqlx(flatten)]
    envelope: Envelope,
}

/// Events after `span.start`, up to and including `span.end`.
pub(super) async fn read(
    db: &Db,
    span: Range<u64>,
    filter: &EventMatcher,
    limit: usize,
) -> Result<Vec<Logged>, BusError> {
    let [after, up_to] = [span.start, span.end].map(|seq| i64::try_from(seq).unwrap_or(i64::MAX));
    let mut reader = db.read().await?;
    let rows: Vec<LogRow> = on!(reader, conn => {
        let mut query = sqlx::QueryBuilder::new(
            "SELECT seq, id, tenant, aggregate, sequence, event_type, area, payload, actor, traceparent, time_us
             FROM log_events WHERE seq > ");
        query.push_bind(after).push(" AND seq <= ").push_bind(up_to);
        if let Some(tenant) = &filter.tenant {
            query.push(" AND tenant = ").push_bind(tenant);
        }
        if let Some(aggregate) = &filter.aggregate {
            query.push(" AND aggregate = ").push_bind(aggregate);
        }
        if filter.like_patterns().len() > 0 {
            query.push(" AND (");
            for (number, pattern) in filter.like_patterns().enumerate() {
                query.push(if number == 0 { "event_type LIKE " } else { " OR event_type LIKE " });
                query.push_bind(pattern).push(" ESCAPE '\\'");
            }
            query.push(")");
        }
        query.push(" ORDER BY seq LIMIT ").push_bind(limit as i64);
        query.build_query_as().fetch_all(conn).await
    })?;
    Ok(rows.into_iter().map(|row| Logged { position: row.seq as u64, envelope: row.envelope }).collect())
}

pub(super) async fn prune(db: &Db, before_us: i64) -> Result<u64, BusError> {
    let mut tx = db.begin().await?;
    let rows = on!(tx, conn => sqlx::query(
        "DELETE FROM log_events WHERE seq IN
             (SELECT seq FROM log_events WHERE appended_us < $1 ORDER BY appended_us LIMIT $2)")
        .bind(before_us)
        .bind(PRUNE_BATCH as i64)
        .execute(conn)
        .await)?
    .rows_affected();
    tx.commit().await?;
    Ok(rows)
}
