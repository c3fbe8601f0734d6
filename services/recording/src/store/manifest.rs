//! The agents who are heard in a recording, and the stretches that were left out of it.

use baton_store::{Db, StoreError, Tx, on};

/// An agent who is heard in a recording.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct HeardAgent {
    pub(crate) recording_id: String,
    pub(crate) agent_id: String,
}

/// A stretch of the tenure that was not recorded.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct ExcludedStretch {
    pub(crate) recording_id: String,
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
    pub(crate) reason: i64,
}

/// The agent is heard in the recording, and may see it from now on.
pub(crate) async fn add_agent(
    tx: &mut Tx,
    tenant: &str,
    interaction_id: &str,
    it: &HeardAgent,
) -> Result<(), StoreError> {
    tx.statement(
        "INSERT INTO recording_agents (tenant, interaction_id, recording_id, agent_id) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
    )
    .bind(tenant)
    .bind(interaction_id)
    .bind(&it.recording_id)
    .bind(&it.agent_id)
    .run()
    .await?;
    Ok(())
}

/// Of several reports about the same stretch the last one's end counts.
pub(crate) async fn add_exclusion(tx: &mut Tx, tenant: &str, it: &ExcludedStretch) -> Result<(), StoreError> {
    tx.statement(
        "INSERT INTO exclusions (tenant, recording_id, start_us, end_us, reason) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant, recording_id, start_us, reason) DO UPDATE SET end_us = excluded.end_us",
    )
    .bind(tenant)
    .bind(&it.recording_id)
    .bind(it.start_us)
    .bind(it.end_us)
    .bind(it.reason)
    .run()
    .await?;
    Ok(())
}

/// The agents of several recordings.
pub(crate) async fn agents(db: &Db, tenant: &str, recording_ids: &[&str]) -> Result<Vec<HeardAgent>, StoreError> {
    let mut reader = db.read().await?;
    let rows = on!(reader, conn => {
        let mut query =
            sqlx::QueryBuilder::new("SELECT recording_id, agent_id FROM recording_agents WHERE tenant = ");
        query.push_bind(tenant).push(" AND recording_id IN (");
        let mut list = query.separated(", ");
        for id in recording_ids {
            list.push_bind(*id);
        }
        query.push(") ORDER BY agent_id").build_query_as().persistent(false).fetch_all(conn).await
    })?;
    Ok(rows)
}

/// The exclusions of several recordings, in the order of time.
pub(crate) async fn exclusions(
    db: &Db,
    tenant: &str,
    recording_ids: &[&str],
) -> Result<Vec<ExcludedStretch>, StoreError> {
    let mut reader = db.read().await?;
    let rows = on!(reader, conn => {
        let mut query =
            sqlx::QueryBuilder::new("SELECT recording_id, start_us, end_us, reason FROM exclusions WHERE tenant = ");
        query.push_bind(tenant).push(" AND recording_id IN (");
        let mut list = query.separated(", ");
        for id in recording_ids {
            list.push_bind(*id);
        }
        query.push(") ORDER BY start_us").build_query_as().persistent(false).fetch_all(conn).await
    })?;
    Ok(rows)
}
