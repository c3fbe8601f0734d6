//! How much of a database the events of each tenant take: so that a tenant's share of the disk can be limited (S2).
//!
//! Events come at the end of the outbox, and go by the day, so only those that are new since the last count are read.

use std::collections::{BTreeMap, HashMap};

use crate::{Db, StoreError, on};

const DAY_US: i64 = 24 * 3_600 * 1_000_000;
/// Rows that one statement reads: a reader is soon free for others again.
const ROWS: i64 = 20_000;
/// In bytes, about: the columns beside the payload, and their part of the indexes.
const OF_EACH: i64 = 300;

/// What was counted so far.
#[derive(Debug, Default)]
pub struct EventBytes {
    /// The position of the last event that is in it.
    until: i64,
    by_day: BTreeMap<i64, HashMap<String, u64>>,
}

impl EventBytes {
    /// Counts what is new, and takes the days away whose events are deleted. Returns the bytes of each tenant.
    pub async fn count(&mut self, db: &Db, kept_since_us: i64) -> Result<HashMap<String, u64>, StoreError> {
        while self.count_some(db).await? {}
        self.by_day = self.by_day.split_off(&(kept_since_us / DAY_US));
        let mut bytes = HashMap::new();
        for (tenant, of_day) in self.by_day.values().flatten() {
            *bytes.entry(tenant.clone()).or_default() += of_day;
        }
        Ok(bytes)
    }

    /// False: there are no more.
    async fn count_some(&mut self, db: &Db) -> Result<bool, StoreError> {
        let mut reader = db.read().await?;
        let rows: Vec<(String, i64, i64, i64)> = on!(reader, conn => sqlx::query_as(
            "SELECT tenant, time_us / $1 AS day, SUM(OCTET_LENGTH(payload) + $2), MAX(position)
             FROM (SELECT tenant, time_us, payload, position FROM store_outbox WHERE position > $3 ORDER BY position LIMIT $4) AS some
             GROUP BY tenant, day")
            .bind(DAY_US).bind(OF_EACH).bind(self.until).bind(ROWS).fetch_all(conn).await)?;
        for (tenant, day, bytes, until) in &rows {
            *self.by_day.entry(*day).or_default().entry(tenant.clone()).or_default() += bytes.unsigned_abs();
            self.until = self.until.max(*until);
        }
        Ok(!rows.is_empty())
    }
}
