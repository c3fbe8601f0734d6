//! Claims that wait until their agent is free (B504).

use baton_api::presence::v1::InboxItem;
use baton_runtime::auth::TenantId;
use baton_store::{Reader, StoreError, Tx, on};
use prost::Message as _;

use crate::ids::AgentId;
use crate::record::QueuedClaim;
use crate::status::ShownState;

#[derive(sqlx::FromRow)]
struct Row {
    claim_id: String,
    interaction_id: String,
    agent_id: AgentId,
    choosable: String,
    expires_at_us: i64,
    inbox: Vec<u8>,
    since_us: i64,
}

impl TryFrom<Row> for QueuedClaim {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let corrupt =
            |column, source| StoreError::Corrupt { table: "queued_claims", column, row: row.claim_id.clone(), source };
        let states = row.choosable.split_whitespace().map(ShownState::parse).collect::<Option<_>>();
        let choosable = states.ok_or_else(|| corrupt("choosable", None))?;
        let inbox = InboxItem::decode(row.inbox.as_slice());
        let inbox = inbox.map_err(|error| corrupt("inbox", Some(Box::new(error))))?;
        Ok(Self {
            choosable,
            inbox,
            claim_id: row.claim_id,
            interaction_id: row.interaction_id,
            agent: row.agent_id,
            expires_at_us: row.expires_at_us,
            since_us: row.since_us,
        })
    }
}

/// Which rows, in which order: the columns of [`Row`] are named here alone.
macro_rules! select_queued {
    ($rest:literal) => {
        concat!(
            "SELECT claim_id, interaction_id, agent_id, choosable, expires_at_us, inbox, since_us FROM queued_claims ",
            $rest
        )
    };
}

const OF_INTERACTION: &str = select_queued!("WHERE tenant = $1 AND interaction_id = $2 ORDER BY since_us, claim_id");

fn claims(rows: Vec<Row>) -> Result<Vec<QueuedClaim>, StoreError> {
    rows.into_iter().map(QueuedClaim::try_from).collect()
}

/// Those that wait for an agent, in order.
pub(crate) async fn of_agent(tx: &mut Tx, tenant: &TenantId, agent: AgentId) -> Result<Vec<QueuedClaim>, StoreError> {
    claims(on!(tx, conn => sqlx::query_as(
        select_queued!("WHERE tenant = $1 AND agent_id = $2 ORDER BY since_us, claim_id"))
        .bind(tenant.as_str())
        .bind(agent)
        .fetch_all(conn)
        .await)?)
}

/// Those of an interaction.
pub(crate) async fn of_interaction(
    tx: &mut Tx,
    tenant: &TenantId,
    interaction_id: &str,
) -> Result<Vec<QueuedClaim>, StoreError> {
    claims(on!(tx, conn => sqlx::query_as(OF_INTERACTION)
        .bind(tenant.as_str())
        .bind(interaction_id)
        .fetch_all(conn)
        .await)?)
}

/// The same for a reader.
pub(crate) async fn look_up(
    reader: &mut Reader,
    tenant: &TenantId,
    interaction_id: &str,
) -> Result<Vec<QueuedClaim>, StoreError> {
    claims(on!(reader, conn => sqlx::query_as(OF_INTERACTION)
        .bind(tenant.as_str())
        .bind(interaction_id)
        .fetch_all(conn)
        .await)?)
}

/// Adds one, or writes anew until when it waits and what the inbox shows; its place is kept.
pub(crate) async fn put(tx: &mut Tx, tenant: &TenantId, claim: &QueuedClaim) -> Result<(), StoreError> {
    let choosable: Vec<_> = claim.choosable.iter().map(|state| state.name()).collect();
    tx.statement(
        "INSERT INTO queued_claims (tenant, claim_id, interaction_id, agent_id, choosable, expires_at_us, inbox, since_us)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (tenant, claim_id) DO UPDATE SET choosable = $5, expires_at_us = $6, inbox = $7",
    )
    .bind(tenant.as_str())
    .bind(&claim.claim_id)
    .bind(&claim.interaction_id)
    .bind(claim.agent)
    .bind(choosable.join(" "))
    .bind(claim.expires_at_us)
    .bind(claim.inbox.encode_to_vec())
    .bind(claim.since_us)
    .affected()
    .await?;
    Ok(())
}

/// Takes one out: it is decided, or no longer wanted.
pub(crate) async fn remove(tx: &mut Tx, tenant: &TenantId, claim_id: &str) -> Result<(), StoreError> {
    tx.statement("DELETE FROM queued_claims WHERE tenant = $1 AND claim_id = $2")
        .bind(tenant.as_str())
        .bind(claim_id)
        .affected()
        .await?;
    Ok(())
}

/// A tenant's that have waited as long as they may, at most `limit`.
pub(crate) async fn run_out(
    tx: &mut Tx,
    tenant: &TenantId,
    now_us: i64,
    limit: i64,
) -> Result<Vec<QueuedClaim>, StoreError> {
    claims(on!(tx, conn => sqlx::query_as(
        select_queued!("WHERE expires_at_us <= $2 AND tenant = $1 ORDER BY expires_at_us LIMIT $3"))
        .bind(tenant.as_str())
        .bind(now_us)
        .bind(limit)
        .fetch_all(conn)
        .await)?)
}
