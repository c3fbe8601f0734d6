//! Transfers, for listing. The truth is in the interaction; these rows follow it in the same transaction.

use baton_domain::{Interaction, project::TransferRecord};
use baton_store::{Db, StoreError, Tx, on};
use baton_words::{AgentId, InteractionId, Phase};
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
    /// Each of these is or was a party.
    pub(crate) agents: Vec<AgentId>,
    /// Empty: in any.
    pub(crate) phases: Vec<Phase>,
    /// Begun at or after this time, and before that one.
    pub(crate) from_us: Option<i64>,
    pub(crate) before_us: Option<i64>,
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
        "INSERT INTO transfers (interaction_id, number, tenant, open, started_at_us, body, request_key, phase)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (interaction_id, number)
             DO UPDATE SET open = excluded.open, body = excluded.body, phase = excluded.phase")
        .bind(interaction.id.0)
        .bind(i64::from(transfer.no.0))
        .bind(&*interaction.tenant)
        .bind(i64::from(transfer.phase.is_open()))
        .bind(transfer.started_at_us)
        .bind(body)
        .bind(request_key)
        .bind(transfer.phase.name())
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
    let rows: Vec<Row> = on!(reader, conn => {
        let mut select = sqlx::QueryBuilder::new("SELECT interaction_id, body FROM transfers WHERE tenant = ");
        select.push_bind(query.tenant);
        let before = query.before;
        select.push(" AND (started_at_us, interaction_id, number) < (").push_bind(before.started_at_us);
        select.push(", ").push_bind(before.interaction.0).push(", ").push_bind(before.number).push(")");
        if let Some(id) = query.interaction {
            select.push(" AND interaction_id = ").push_bind(id.0);
        }
        if query.open_only {
            select.push(" AND open = 1");
        }
        for agent in &query.agents {
            select.push(" AND EXISTS (SELECT 1 FROM interaction_agents a WHERE a.interaction_id = transfers.interaction_id AND a.part <> 1");
            select.push(" AND a.agent_id = ").push_bind(agent.0).push(")");
        }
        if !query.phases.is_empty() {
            select.push(" AND phase IN (");
            let mut phases = select.separated(", ");
            for phase in &query.phases {
                phases.push_bind(phase.name());
            }
            select.push(")");
        }
        if let Some(from_us) = query.from_us {
            select.push(" AND started_at_us >= ").push_bind(from_us);
        }
        if let Some(before_us) = query.before_us {
            select.push(" AND started_at_us < ").push_bind(before_us);
        }
        select.push(" ORDER BY started_at_us DESC, interaction_id DESC, number DESC LIMIT ").push_bind(query.limit);
        select.build_query_as().fetch_all(conn).await
    })?;
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
