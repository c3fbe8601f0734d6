//! How much of a database is whose.

use std::collections::HashMap;

use baton_store::requests::{BodyHash, RequestKey};
use baton_store::{Db, TenantBytes, outbox, outbox::OutboxRow, requests};

use crate::support::{database, fresh_id};

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;
/// What a row takes beside what differs in length.
const OF_EACH: u64 = 300;

async fn event(db: &Db, tenant: &str, sequence: i64, time_us: i64, bytes: usize) {
    let row = OutboxRow {
        id: fresh_id(),
        tenant: tenant.into(),
        aggregate: "interaction/1".into(),
        sequence,
        event_type: "transfer.completed".into(),
        area: "transfer".into(),
        payload: vec![0; bytes],
        actor: "system".into(),
        traceparent: String::new(),
        time_us,
    };
    let mut tx = db.begin().await.unwrap();
    outbox::append(&mut tx, &[row]).await.unwrap();
    tx.commit().await.unwrap();
}

async fn request(db: &Db, tenant: &str, request_id: &str, now_us: i64) {
    let key = RequestKey::new(tenant, "agent-1", "Mark", request_id).unwrap();
    let mut tx = db.begin().await.unwrap();
    requests::begin(&mut tx, &key, BodyHash::of(&String::new()), now_us).await.unwrap();
    tx.commit().await.unwrap();
}

fn bytes(of: [(&str, u64); 2]) -> HashMap<String, u64> {
    of.into_iter().map(|(tenant, bytes)| (tenant.to_owned(), bytes)).collect()
}

#[tokio::test]
async fn s2_events_are_counted_as_they_come_and_go_with_their_hour() {
    let it = database().await;
    let (start_us, mut counted) = (100 * DAY_US, TenantBytes::default());
    event(&it.db, "acme", 1, start_us, 1_000).await;
    event(&it.db, "acme", 2, start_us + HOUR_US, 2_000).await;
    event(&it.db, "globex", 1, start_us + HOUR_US, 50).await;
    let all = bytes([("acme", 3_000 + 2 * OF_EACH), ("globex", 50 + OF_EACH)]);
    assert_eq!(counted.count(&it.db, start_us, 0).await.unwrap(), all);
    assert_eq!(counted.count(&it.db, start_us, 0).await.unwrap(), all, "nothing is new");
    event(&it.db, "acme", 3, start_us + 2 * HOUR_US, 7).await;
    let later = bytes([("acme", 2_007 + 2 * OF_EACH), ("globex", 50 + OF_EACH)]);
    assert_eq!(counted.count(&it.db, start_us, start_us + HOUR_US).await.unwrap(), later, "the first hour is gone");
    assert_eq!(TenantBytes::default().count(&it.db, start_us, start_us + HOUR_US).await.unwrap(), later, "a restart");
}

#[tokio::test]
async fn s2_answers_that_are_kept_for_a_day_count_for_their_tenant_refused_or_not() {
    let it = database().await;
    let (start_us, mut counted) = (100 * DAY_US, TenantBytes::default());
    for n in 0..3 {
        request(&it.db, "acme", &format!("r{n}"), start_us + n).await;
    }
    request(&it.db, "globex", "r", start_us + 9).await;
    let all = bytes([("acme", 3 * OF_EACH), ("globex", OF_EACH)]);
    assert_eq!(counted.count(&it.db, start_us + HOUR_US, 0).await.unwrap(), all);
    assert_eq!(counted.count(&it.db, start_us + DAY_US + HOUR_US, 0).await.unwrap(), HashMap::new(), "a day later");
}
