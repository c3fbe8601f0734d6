//! Transfers, for listing. The truth is in the interaction; these rows follow it in the same transaction.

use baton_domain::{Interaction, project::TransferRecord};
use baton_store::{Db, StoreError, Tx, on};
use baton_words::{AgentId, InteractionId};
use uuid::Uuid;

/// Where a page begins: after this one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    pub(crate) started_at_us: i64,
    pub(crate) interaction: InteractionId,
    pub(crate) number: i64,
}

/// Which to list.
pub(crate) struct TransferQuery<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) agent: Option<AgentId>,
    pub(crate) interaction: Option<InteractionId>,
    pub(crate) open_only: bool,
    pub(crate) before: Position,
    pub(crate) limit: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    interaction_id: Uuid,
    body: String,
}

/// Writes the row of the last transfer.
pub(crate) async fn put(
    tx: &mut Tx,
    interaction: &Interaction,
    transfer: &TransferRecord,
    request_key: &str,
) -> Result<(), StoreError> {
    let body = serde_json::to_string(transfer).map_err(|error| corrupt(interaction.id, error))?;
    on!(tx, conn => sqlx::query(
        "INSERT INTO transfers (interaction_id, number, tenant, open, started_at_us, body, request_key)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (interaction_id, number) DO UPDATE SET open = excluded.open, body = excluded.body")
        .bind(interaction.id.0)
        .bind(i64::from(transfer.no.0))
        .bind(&*interaction.tenant)
        .bind(i64::from(transfer.phase.is_open()))
        .bind(transfer.started_at_us)
        .bind(body)
        .bind(request_key)
        .execute(conn)
        .await)?;
    Ok(())
}

/// The transfer that this request began.
pub(crate) async fn by_request(db: &Db, id: InteractionId, request_key: &str) -> Result<Option<u32>, StoreError> {
    let mut reader = db.read().await?;
    let number: Option<i64> = on!(reader, conn => sqlx::query_scalar(
        "SELECT number FROM transfers WHERE interaction_id = $1 AND request_key = $2")
        .bind(id.0).bind(request_key).fetch_optional(conn).await)?;
    Ok(number.map(|number| number as u32))
}

/// One transfer.
pub(crate) async fn read(
    db: &Db,
    tenant: &str,
    id: InteractionId,
    number: u32,
) -> Result<Option<TransferRecord>, StoreError> {
    let mut reader = db.read().await?;
    let body: Option<String> = on!(reader, conn => sqlx::query_scalar(
        "SELECT body FROM transfers WHERE tenant = $1 AND interaction_id = $2 AND number = $3")
        .bind(tenant).bind(id.0).bind(i64::from(number)).fetch_optional(conn).await)?;
    body.map(|body| parse(id, &body)).transpose()
}

/// A page, newest first.
pub(crate) async fn list(
    db: &Db,
    query: TransferQuery<'_>,
) -> Result<Vec<(InteractionId, TransferRecord)>, StoreError> {
    let mut reader = db.read().await?;
    let rows: Vec<Row> = on!(reader, conn => sqlx::query_as(
        "SELECT interaction_id, body FROM transfers WHERE tenant = $1
         AND (started_at_us, interaction_id, number) < ($2, $3, $4)
         AND ($5 IS NULL OR interaction_id = $5) AND ($6 = 0 OR open = 1)
         AND ($7 IS NULL OR EXISTS (SELECT 1 FROM interaction_agents
                                    WHERE agent_id = $7 AND interaction_agents.interaction_id = transfers.interaction_id))
         ORDER BY started_at_us DESC, interaction_id DESC, number DESC LIMIT $8")
        .bind(query.tenant)
        .bind(query.before.started_at_us)
        .bind(query.before.interaction.0)
        .bind(query.before.number)
        .bind(query.interaction.map(|id| id.0))
        .bind(i64::from(query.open_only))
        .bind(query.agent.map(|agent| agent.0))
        .bind(query.limit)
        .fetch_all(conn)
        .await)?;
    rows.into_iter()
        .map(|row| {
            let id = InteractionId(row.interaction_id);
            Ok((id, parse(id, &row.body)?))
        })
        .collect()
}

fn parse(id: InteractionId, body: &str) -> Result<TransferRecord, StoreError> {
    serde_json::from_str(body).map_err(|error| corrupt(id, error))
}

fn corrupt(id: InteractionId, error: serde_json::Error) -> StoreError {
    StoreError::Corrupt { table: "transfers", column: "body", row: id.to_string(), source: Some(error.into()) }
}
