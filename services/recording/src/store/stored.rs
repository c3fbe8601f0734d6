//! How much of the disk each tenant's audio takes.

/// The bytes of each tenant.
pub(crate) const STATEMENT: &str = "SELECT tenant, SUM(size_bytes) FROM segments WHERE audio = 'STORED' GROUP BY tenant
     UNION ALL SELECT tenant, SUM(size_bytes) FROM messages WHERE state = 'KEPT' GROUP BY tenant";

#[cfg(test)]
mod tests {
    use baton_store::{Affected as _, Db, bytes_by_tenant, on};

    use super::*;
    use crate::store::MIGRATIONS;

    #[tokio::test]
    async fn s2_audio_that_is_there_counts_for_its_tenant_and_the_rest_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path().join("recording.db")).await.unwrap();
        db.migrate(&MIGRATIONS).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        for statement in [
            "INSERT INTO segments (tenant, segment_id, recording_id, interaction_id, audio, size_bytes)
             VALUES ('acme', 'a', 'r', 'i', 'STORED', 5), ('acme', 'b', 'r', 'i', 'DELETED', 70), ('bell', 'c', 'r', 'i', 'STORED', 2)",
            "INSERT INTO messages (tenant, message_id, interaction_id, mailbox, customer, customer_key, phone_number, state, left_us,
                                   expire_us, size_bytes)
             VALUES ('acme', 'm', 'i', '', '', '', '', 'KEPT', 0, 0, 600), ('acme', 'n', 'i', '', '', '', '', 'NONE', 0, 0, 0)",
        ] {
            on!(tx, conn => sqlx::query(statement).affected(conn).await).unwrap();
        }
        tx.commit().await.unwrap();
        assert_eq!(
            bytes_by_tenant(&db, STATEMENT).await.unwrap(),
            [("acme".to_owned(), 605), ("bell".to_owned(), 2)].into()
        );
        let mut reader = db.read().await.unwrap();
        let plan: Vec<(i64, i64, i64, String)> = on!(reader, conn => {
            sqlx::QueryBuilder::new("EXPLAIN QUERY PLAN ").push(STATEMENT).build_query_as().fetch_all(conn).await
        })
        .unwrap();
        for index in ["segments_of_tenant", "messages_of_tenant"] {
            assert!(plan.iter().any(|step| step.3.contains("COVERING INDEX") && step.3.contains(index)), "{plan:?}");
        }
    }
}
