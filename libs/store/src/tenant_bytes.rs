//! How much of a database the events of each tenant take, and the answers that are kept under its request ids: so that a tenant's share of the
//! disk can be limited (S2).
//!
//! Both come in the order of time and go in it, so only what is new since the last count is read.

use std::collections::{BTreeMap, HashMap};

use crate::requests::KEPT_US;
use crate::{Db, StoreError, on};

/// What goes, goes by the hour.
const HOUR_US: i64 = 3_600 * 1_000_000;
/// Rows that one statement reads: a reader is soon free for others again.
const ROWS: i64 = 20_000;
/// In bytes, about: a row without what differs in length, and its part of the indexes.
const OF_EACH: i64 = 300;

const EVENTS: &str = "SELECT tenant, time_us / $1 AS hour, CAST(SUM($2 + OCTET_LENGTH(payload)) AS BIGINT), MAX(position)
     FROM (SELECT tenant, time_us, payload, position FROM store_outbox WHERE position > $3 ORDER BY position LIMIT $4) AS newest
     GROUP BY tenant, hour";
const ANSWERS: &str = "SELECT tenant, started_us / $1 AS hour,
         CAST(SUM($2 + COALESCE(OCTET_LENGTH(answer_message), 0) + COALESCE(OCTET_LENGTH(answer_body), 0)) AS BIGINT), MAX(started_us)
     FROM (SELECT tenant, started_us, answer_message, answer_body FROM store_requests
           WHERE started_us > $3 ORDER BY started_us LIMIT $4) AS newest
     GROUP BY tenant, hour";

/// The sums that a statement reads: rows of a tenant and a number of bytes, as many as there are of a tenant.
pub async fn bytes_by_tenant(db: &Db, statement: &'static str) -> Result<HashMap<String, u64>, StoreError> {
    let mut reader = db.read().await?;
    let rows: Vec<(String, i64)> = on!(reader, conn => sqlx::query_as(statement).fetch_all(conn).await)?;
    let mut sums = HashMap::new();
    for (tenant, bytes) in rows {
        *sums.entry(tenant).or_default() += bytes.unsigned_abs();
    }
    Ok(sums)
}

/// What was counted so far.
#[derive(Debug, Default)]
pub struct TenantBytes {
    events: HourlyBytes,
    answers: HourlyBytes,
}

/// Of each tenant, by the hour.
#[derive(Debug, Default)]
struct HourlyBytes {
    /// The place of the last row that is in it.
    until: i64,
    by_hour: BTreeMap<i64, HashMap<String, u64>>,
}

impl TenantBytes {
    /// Counts what is new, and takes away what was deleted since: events from before `events_since_us`, and answers that are too old. Returns
    /// the bytes of each tenant.
    pub async fn count(
        &mut self,
        db: &Db,
        now_us: i64,
        events_since_us: i64,
    ) -> Result<HashMap<String, u64>, StoreError> {
        let mut bytes = HashMap::new();
        for (counted, statement, since_us) in
            [(&mut self.events, EVENTS, events_since_us), (&mut self.answers, ANSWERS, now_us - KEPT_US)]
        {
            while counted.read_some(db, statement).await? {}
            counted.by_hour = counted.by_hour.split_off(&(since_us / HOUR_US));
            for (tenant, of_hour) in counted.by_hour.values().flatten() {
                *bytes.entry(tenant.clone()).or_default() += of_hour;
            }
        }
        Ok(bytes)
    }
}

impl HourlyBytes {
    /// False: there are no more.
    async fn read_some(&mut self, db: &Db, statement: &'static str) -> Result<bool, StoreError> {
        let mut reader = db.read().await?;
        let rows: Vec<(String, i64, i64, i64)> = on!(reader, conn => sqlx::query_as(statement)
            .bind(HOUR_US).bind(OF_EACH).bind(self.until).bind(ROWS).fetch_all(conn).await)?;
        for (tenant, hour, bytes, until) in &rows {
            *self.by_hour.entry(*hour).or_default().entry(tenant.clone()).or_default() += bytes.unsigned_abs();
            self.until = self.until.max(*until);
        }
        Ok(!rows.is_empty())
    }
}
