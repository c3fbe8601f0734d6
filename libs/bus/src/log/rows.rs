//! The log's statements.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use baton_store::{Affected as _, Db, Tx, change, on};
use uuid::Uuid;

use crate::{BusError, CursorMove, Envelope, EventMatcher, Logged};

/// The most events in one deletion, for which appenders have to wait.
pub(super) const PRUNE_BATCH: u64 = 2_000;

/// The last position is that of the last event, or of the last one that was deleted: where the clock was put back, that may be a later one.
const HEAD: &str =
    "SELECT MAX(deleted_to, COALESCE((SELECT MAX(seq) FROM log_events), 0)) AS last, generation FROM log_head";
/// The same of tenants.
macro_rules! tenants {
    ($rest:literal) => {
        concat!(
            "SELECT tenant, MAX(deleted_to, COALESCE((SELECT MAX(tenant_seq) FROM log_events e WHERE e.tenant = log_tenants.tenant), 0))
             FROM log_tenants",
            $rest
        )
    };
}

#[derive(sqlx::FromRow)]
pub(super) struct LogHeadRow {
    pub(super) last: i64,
    pub(super) generation: Uuid,
}

/// Inserted at the first start.
pub(super) async fn head(db: &Db, generation: Uuid) -> Result<LogHeadRow, BusError> {
    db.change(change!(|tx| {
        Ok(on!(tx, conn => {
            sqlx::query("INSERT INTO log_head (id, deleted_to, generation) VALUES (1, 0, $1) ON CONFLICT DO NOTHING")
                .bind(generation)
                .affected(&mut *conn)
                .await?;
            sqlx::query_as(HEAD).fetch_one(conn).await
        })?)
    }))
    .await
}

/// How far a source is in the log, durably.
pub(super) async fn cursor(db: &Db, source: &str) -> Result<Option<String>, BusError> {
    let mut reader = db.read().await?;
    let cursor = on!(reader, conn => sqlx::query_scalar("SELECT cursor FROM log_sources WHERE source = $1")
        .bind(source)
        .fetch_optional(conn)
        .await)?;
    drop(reader);
    db.settled().await?;
    Ok(cursor)
}

/// Puts a source's cursor somewhere else, wherever it is.
pub(super) async fn set_cursor(db: &Db, source: &str, cursor: &str) -> Result<(), BusError> {
    db.change(change!(|tx| {
        let set = "INSERT INTO log_sources (source, cursor) VALUES ($1, $2)
                   ON CONFLICT (source) DO UPDATE SET cursor = excluded.cursor";
        tx.statement(set).bind(source).bind(cursor).run().await?;
        Ok(())
    }))
    .await
}

/// Moves a source's cursor, if it is where it is believed to be.
pub(super) async fn move_cursor(tx: &mut Tx, moved: &CursorMove<'_>) -> Result<(), BusError> {
    let rows = match moved.from {
        Some(from) => {
            tx.statement("UPDATE log_sources SET cursor = $3 WHERE source = $1 AND cursor = $2")
                .bind(moved.source)
                .bind(from)
                .bind(moved.to)
                .affected()
                .await?
        }
        None => {
            tx.statement("INSERT INTO log_sources (source, cursor) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                .bind(moved.source)
                .bind(moved.to)
                .affected()
                .await?
        }
    };
    if rows == 1 { Ok(()) } else { Err(BusError::CursorMoved) }
}

/// The last position of each tenant.
pub(super) async fn tenants(db: &Db) -> Result<HashMap<String, u64>, BusError> {
    let mut reader = db.read().await?;
    let rows: Vec<(String, i64)> = on!(reader, conn => sqlx::query_as(tenants!("")).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(|(tenant, last)| (tenant, last as u64)).collect())
}

/// How far an append brought the log, and its tenants; 0 and none if all was in it.
pub(super) struct Appended {
    pub(super) last: u64,
    pub(super) of_tenants: Vec<(String, u64)>,
    /// The types among the events.
    pub(super) types: BTreeSet<String>,
}

/// Appends the events that are not in the log yet: a repeated one takes no position, so that there are no holes.
pub(super) async fn append(tx: &mut Tx, events: &[Envelope], now_us: i64) -> Result<Appended, BusError> {
    let LogHeadRow { last: before, .. } = on!(tx, conn => sqlx::query_as(HEAD).fetch_one(conn).await)?;
    let mut last = before;
    let mut tenants: Vec<TenantEnd> = Vec::new();
    for event in events {
        let known = tenants.iter().position(|it| it.tenant == event.tenant);
        let at = known.unwrap_or(tenants.len());
        if known.is_none() {
            tenants.push(tenant_end(tx, &event.tenant).await?);
        }
        let tenant = &mut tenants[at];
        if insert(tx, event, (last + 1, tenant.last + 1), now_us).await? {
            last += 1;
            tenant.last += 1;
            tenant.has_moved = true;
        }
    }
    tenants.retain(|it| it.has_moved);
    Ok(Appended {
        last: if last > before { last as u64 } else { 0 },
        of_tenants: tenants.into_iter().map(|it| (it.tenant, it.last as u64)).collect(),
        types: events.iter().map(|it| it.event_type.clone()).collect(),
    })
}

/// The last position of a tenant, in the change that appends.
struct TenantEnd {
    tenant: String,
    last: i64,
    has_moved: bool,
}

/// A tenant is noted with its first event.
async fn tenant_end(tx: &mut Tx, tenant: &str) -> Result<TenantEnd, BusError> {
    let known: Option<(String, i64)> = on!(tx, conn => sqlx::query_as(tenants!(" WHERE tenant = $1"))
            .bind(tenant)
            .fetch_optional(conn)
            .await)?;
    if known.is_none() {
        tx.statement("INSERT INTO log_tenants (tenant, deleted_to) VALUES ($1, 0)").bind(tenant).run().await?;
    }
    Ok(TenantEnd { tenant: tenant.to_owned(), last: known.map_or(0, |(_, last)| last), has_moved: false })
}

/// Inserts an event at these positions, in the log and among its tenant's. Returns whether it is new.
async fn insert(tx: &mut Tx, event: &Envelope, (seq, tenant_seq): (i64, i64), now_us: i64) -> Result<bool, BusError> {
    let inserted = tx
        .statement(
            "INSERT INTO log_events
                 (seq, tenant_seq, id, tenant, aggregate, sequence, event_type, area, payload, actor, traceparent, time_us, appended_us)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (id) DO NOTHING",
        )
        .bind(seq)
        .bind(tenant_seq)
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
        .affected()
        .await?;
    Ok(inserted == 1)
}

/// The tenant's position of its first event that happened at this time or later.
pub(super) async fn first_since(db: &Db, tenant: &str, time_us: i64) -> Result<Option<u64>, BusError> {
    let mut reader = db.read().await?;
    let first: Option<i64> = on!(reader, conn => sqlx::query_scalar(
        "SELECT MIN(tenant_seq) FROM log_events WHERE tenant = $1 AND time_us >= $2")
        .bind(tenant)
        .bind(time_us)
        .fetch_one(conn)
        .await)?;
    Ok(first.map(|first| first as u64))
}

#[derive(sqlx::FromRow)]
struct LogRow {
    position: i64,
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
    let column = if filter.tenant.is_some() { "tenant_seq" } else { "seq" };
    let mut reader = db.read().await?;
    let rows: Vec<LogRow> = on!(reader, conn => {
        let mut query = sqlx::QueryBuilder::new("SELECT ");
        query.push(column).push(
            " AS position, id, tenant, aggregate, sequence, event_type, area, payload, actor, traceparent, time_us
             FROM log_events WHERE ");
        query.push(column).push(" > ").push_bind(after).push(" AND ").push(column).push(" <= ").push_bind(up_to);
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
        query.push(" ORDER BY ").push(column).push(" LIMIT ").push_bind(limit as i64);
        query.build_query_as().fetch_all(conn).await
    })?;
    Ok(rows.into_iter().map(|row| Logged { position: row.position as u64, envelope: row.envelope }).collect())
}

pub(super) async fn prune(db: &Db, before_us: i64) -> Result<u64, BusError> {
    db.change(change!(|tx| {
        let old = "SELECT seq FROM log_events WHERE appended_us < $1 ORDER BY appended_us, seq LIMIT $2";
        let note = [
            format!("UPDATE log_head SET deleted_to = MAX(deleted_to, COALESCE((SELECT MAX(seq) FROM ({old})), 0))"),
            format!(
                "INSERT INTO log_tenants (tenant, deleted_to)
                     SELECT tenant, MAX(tenant_seq) FROM log_events WHERE seq IN ({old}) GROUP BY tenant
                 ON CONFLICT (tenant) DO UPDATE SET deleted_to = MAX(deleted_to, excluded.deleted_to)"
            ),
        ];
        for statement in note {
            tx.statement(statement).bind(before_us).bind(PRUNE_BATCH as i64).run().await?;
        }
        let deleted = tx
            .statement(format!("DELETE FROM log_events WHERE seq IN ({old})"))
            .bind(before_us)
            .bind(PRUNE_BATCH as i64)
            .affected()
            .await?;
        Ok(deleted)
    }))
    .await
}
