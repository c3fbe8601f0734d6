//! The log's statements.

use std::ops::Range;

use baton_store::{Db, Tx, on};
use uuid::Uuid;

use crate::{BusError, Envelope, Filter, Logged};

/// The most events that one deletion takes: appenders wait for it.
pub(super) const PRUNE_BATCH: u64 = 2_000;

#[derive(sqlx::FromRow)]
pub(super) struct Head {
    pub(super) last: i64,
    pub(super) generation: Uuid,
}

/// The log's head, made at the first start.
pub(super) async fn head(db: &Db, generation: Uuid) -> Result<Head, BusError> {
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

/// Appends what is not there yet; returns the last position.
pub(super) async fn append(tx: &mut Tx, events: &[Envelope], now_us: i64) -> Result<u64, BusError> {
    let before: i64 = on!(tx, conn => sqlx::query_scalar("SELECT last FROM log_head").fetch_one(conn).await)?;
    let mut last = before;
    for event in events {
        if insert(tx, last + 1, event, now_us).await? {
            last += 1;
        }
    }
    if last > before {
        on!(tx, conn => sqlx::query("UPDATE log_head SET last = $1").bind(last).execute(conn).await)?;
    }
    Ok(last as u64)
}

async fn insert(tx: &mut Tx, seq: i64, event: &Envelope, now_us: i64) -> Result<bool, BusError> {
    let rows = on!(tx, conn => sqlx::query(
        "INSERT INTO log_events
             (seq, id, tenant, aggregate, sequence, event_type, area, payload, actor, traceparent, time_us, appended_us)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (id) DO NOTHING")
        .bind(seq)
        .bind(event.id)
        .bind(&event.tenant)
        .bind(&event.aggregate)
        .bind(event.sequence)
        .bind(&event.event_type)
        .bind(&event.area)
        .bind(&event.payload)
        .bind(&event.actor)
        .bind(&event.traceparent)
        .bind(event.time_us)
        .bind(now_us)
        .execute(conn)
        .await)?
    .rows_affected();
    Ok(rows == 1)
}

#[derive(sqlx::FromRow)]
struct Row {
    seq: i64,
    #[sqlx(flatten)]
    envelope: Envelope,
}

/// Events behind `span.start`, up to and with `span.end`.
pub(super) async fn read(db: &Db, span: Range<u64>, filter: &Filter, limit: usize) -> Result<Vec<Logged>, BusError> {
    let [after, up_to] = [span.start, span.end].map(|seq| i64::try_from(seq).unwrap_or(i64::MAX));
    let mut reader = db.read().await?;
    let rows: Vec<Row> = on!(reader, conn => {
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
