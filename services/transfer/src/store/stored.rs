//! How much of the disk each tenant's calls take.

/// Those that are over are summed up in their index; those that are live are few.
pub(crate) const STATEMENT: &str =
    "SELECT tenant, CAST(SUM(stored_bytes) AS BIGINT) FROM interactions WHERE live = 0 GROUP BY tenant
     UNION ALL SELECT tenant, CAST(SUM(stored_bytes) AS BIGINT) FROM interactions WHERE live = 1 GROUP BY tenant";

#[cfg(test)]
mod tests {
    use baton_store::{Db, on};

    use super::*;

    #[tokio::test]
    async fn s2_counting_reads_no_call_that_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path().join("transfer.db")).await.unwrap();
        db.migrate(&crate::MIGRATIONS).await.unwrap();
        let mut reader = db.read().await.unwrap();
        let plan: Vec<(i64, i64, i64, String)> = on!(reader, conn => {
            sqlx::QueryBuilder::new("EXPLAIN QUERY PLAN ").push(STATEMENT).build_query_as().fetch_all(conn).await
        })
        .unwrap();
        let steps: Vec<_> = plan.into_iter().map(|step| step.3).filter(|step| step.contains("interactions")).collect();
        assert_eq!(steps.len(), 2, "{steps:?}");
        assert!(steps[0].contains("COVERING INDEX interactions_by_end"), "{steps:?}");
        assert!(steps[1].contains("interactions_live_newest"), "{steps:?}");
    }
}
