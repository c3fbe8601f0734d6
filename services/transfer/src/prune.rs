//! Deletes calls that ended long ago, and the versions of policies that no call needs any more (R13).

use crate::{command_handler::CommandHandler, store::old};
use baton_runtime::{clock::micros, lifecycle::Lifecycle};
use baton_store::{StoreError, change};
use std::{sync::Arc, time::Duration};

const EVERY: Duration = Duration::from_hours(1);

/// Starts it, for as long as the service runs: a call is kept for so long after its end.
pub(crate) fn start(handler: &Arc<CommandHandler>, lifecycle: &Lifecycle, kept: Duration) {
    let pruned = Arc::clone(handler);
    lifecycle.every("transfer pruning", (&handler.clock, EVERY), move |now_us| {
        let handler = Arc::clone(&pruned);
        async move { delete(&handler, now_us, kept).await }
    });
}

async fn delete(handler: &CommandHandler, now_us: i64, kept: Duration) -> Result<(), StoreError> {
    let ended_before_us = handler.db.trusted_us(now_us).await? - micros(kept);
    let mut tenant = String::new();
    while let Some(next) = old::tenant_after(&handler.db, &tenant).await? {
        tenant = next;
        while delete_some(handler, &tenant, ended_before_us).await? {}
        let of = &tenant;
        handler.db.change(change!(|tx| { old::delete_policies(tx, of).await.map(drop) })).await?;
    }
    Ok(())
}

/// Deletes some in one transaction; whoever waits for the writer goes before the next ones. `false`: there are none.
async fn delete_some(handler: &CommandHandler, tenant: &str, ended_before_us: i64) -> Result<bool, StoreError> {
    let change = handler.db.change(|mut tx| async move {
        let ids = old::ended_before(&mut tx, tenant, ended_before_us).await?;
        if ids.is_empty() {
            return Ok(tx.undone(ids));
        }
        old::delete(&mut tx, &ids).await?;
        Ok::<_, StoreError>(tx.done(ids))
    });
    let ids = change.await?;
    handler.forget(&ids);
    Ok(!ids.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenants::Tenants;
    use baton_runtime::{auth::AdmissionList, clock::Clock, config::Config, ids};
    use baton_store::{Affected as _, on};
    use tempfile::TempDir;

    const TENANTS: [&str; 2] = ["acme", "bell"];

    async fn handler() -> (Arc<CommandHandler>, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (started_in(&folder).await, folder)
    }

    async fn started_in(folder: &TempDir) -> Arc<CommandHandler> {
        let db = baton_store::testing::open(folder.path(), "transfer").await;
        db.migrate(&crate::MIGRATIONS).await.unwrap();
        let tenants = Tenants::load(db.clone(), AdmissionList::default()).await.unwrap();
        let (clock, _) = Clock::simulated(0);
        CommandHandler::new(db, clock, tenants, &Config::default().transfer).0
    }

    /// One call that is over: when it ended, with which version of the policy.
    async fn ended(handler: &CommandHandler, tenant: &str, ended_at_us: i64, policy_version: i64) {
        let id = ids::new_uuid();
        let mut tx = handler.db.begin().await.unwrap();
        on!(tx, conn => sqlx::query(
            "INSERT INTO interactions (id, tenant, version, state, switch_leg, live, opened_at_us, ended_at_us, acknowledged, policy_version)
             VALUES ($1, $2, 1, '{}', $4, 0, 0, $5, 1, $3)")
            .bind(id)
            .bind(tenant)
            .bind(policy_version)
            .bind(id.to_string())
            .bind(ended_at_us)
            .affected(conn)
            .await)
        .unwrap();
        tx.commit().await.unwrap();
    }

    async fn count(handler: &CommandHandler, table: &str) -> i64 {
        let mut reader = handler.db.read().await.unwrap();
        on!(reader, conn => {
            let mut query = sqlx::QueryBuilder::new("SELECT COUNT(*) FROM ");
            query.push(table).build_query_scalar().fetch_one(conn).await
        })
        .unwrap()
    }

    #[tokio::test]
    async fn r13_old_calls_of_every_tenant_go_batch_after_batch() {
        let (handler, _folder) = handler().await;
        for tenant in TENANTS {
            for n in 0..250 {
                ended(&handler, tenant, n, 0).await;
            }
        }
        delete(&handler, 249, Duration::ZERO).await.unwrap();
        assert_eq!(count(&handler, "interactions").await, 2, "one of each tenant is young enough");
    }

    #[tokio::test]
    async fn r13_a_time_that_was_set_ahead_deletes_no_call() {
        let (handler, folder) = handler().await;
        let (kept, now_us) = (Duration::from_hours(24 * 400), micros(Duration::from_hours(24 * 20_000)));
        handler.db.trusted_us(now_us).await.unwrap();
        ended(&handler, TENANTS[0], now_us - 1, 0).await;
        ended(&handler, TENANTS[0], now_us - micros(kept) - 1, 0).await;
        let again = started_in(&folder).await;
        delete(&again, now_us + 2 * micros(kept), kept).await.unwrap();
        assert_eq!(count(&again, "interactions").await, 1, "only what was old by the time before");
    }

    #[tokio::test]
    async fn r13_a_version_of_a_policy_goes_when_no_call_needs_it() {
        let (handler, _folder) = handler().await;
        for _ in 0..500 {
            let mut tx = handler.db.begin().await.unwrap();
            let policy = crate::store::policies::PolicyRow::default_policy();
            crate::store::policies::add(&mut tx, TENANTS[0], &policy).await.unwrap();
            tx.commit().await.unwrap();
        }
        for (policy_version, left) in [(30, 500), (300, 301), (500, 101)] {
            ended(&handler, TENANTS[0], policy_version, policy_version).await;
            delete(&handler, policy_version, Duration::ZERO).await.unwrap();
            assert_eq!(count(&handler, "policies").await, left, "the oldest call has version {policy_version}");
        }
    }
}
