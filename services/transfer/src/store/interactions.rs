//! Interactions: one row each, the whole aggregate in it but the notes (`notes.rs`).

use super::notes;
use crate::{filter, live::Live};
use baton_domain::{Event, EventKind, Interaction, queue::Pool};
use baton_store::{Db, Reader, StoreError, Tx, on};
use baton_words::{AgentId, InteractionId, SwitchId, TeamId};
use uuid::Uuid;

macro_rules! select_state {
    ($handle:ident, $id:ident, $condition:literal $(, $tenant:ident)?) => {{
        let row: Option<(String, i64)> = on!($handle, conn => sqlx::query_as(
            concat!("SELECT state, notes FROM interactions WHERE id = $1", $condition))
            .bind($id.0)
            $(.bind($tenant))?
            .fetch_optional(conn)
            .await)?;
        let Some((state, notes)) = row else { return Ok(None) };
        let mut interaction = parse($id, &state)?;
        if notes > 0 {
            let rows: Vec<notes::Row> =
                on!($handle, conn => sqlx::query_as(notes::OF).bind($id.0).fetch_all(conn).await)?;
            interaction.notes = rows.into_iter().map(notes::note).collect();
        }
        Ok(Some(interaction))
    }};
}

/// The interaction, to be changed in this transaction.
pub(crate) async fn read_in(tx: &mut Tx, id: InteractionId) -> Result<Option<Interaction>, StoreError> {
    select_state!(tx, id, "")
}

/// The interaction.
pub(crate) async fn read(reader: &mut Reader, id: InteractionId) -> Result<Option<Interaction>, StoreError> {
    select_state!(reader, id, "")
}

/// The version of an interaction, and whose it is.
pub(crate) async fn version(reader: &mut Reader, id: InteractionId) -> Result<Option<(u64, String)>, StoreError> {
    let row: Option<(i64, String)> = on!(reader, conn => sqlx::query_as(
        "SELECT version, tenant FROM interactions WHERE id = $1").bind(id.0).fetch_optional(conn).await)?;
    Ok(row.map(|(version, tenant)| (version.cast_unsigned(), tenant)))
}

/// The versions of those of these interactions that there are.
pub(crate) async fn versions(db: &Db, ids: &[InteractionId]) -> Result<Vec<(InteractionId, u64)>, StoreError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(500) {
        let mut reader = db.read().await?;
        let rows: Vec<(Uuid, i64)> = on!(reader, conn => {
            let mut query = sqlx::QueryBuilder::new("SELECT id, version FROM interactions WHERE id IN (");
            let mut list = query.separated(", ");
            for id in chunk {
                list.push_bind(id.0);
            }
            query.push(")").build_query_as().persistent(false).fetch_all(conn).await
        })?;
        found.extend(rows.into_iter().map(|(id, version)| (InteractionId(id), version.cast_unsigned())));
    }
    Ok(found)
}

/// The version of an interaction, as this transaction sees it.
pub(crate) async fn version_in(tx: &mut Tx, id: InteractionId) -> Result<Option<u64>, StoreError> {
    let version: Option<i64> = on!(tx, conn => sqlx::query_scalar(
        "SELECT version FROM interactions WHERE id = $1").bind(id.0).fetch_optional(conn).await)?;
    Ok(version.map(i64::cast_unsigned))
}

/// When the next interaction is to be woken; `None`: never.
pub(crate) async fn next_wake(db: &Db) -> Result<Option<i64>, StoreError> {
    let mut reader = db.read().await?;
    Ok(on!(reader, conn => sqlx::query_scalar("SELECT MIN(wake_at_us) FROM interactions WHERE wake_at_us IS NOT NULL")
        .fetch_one(conn).await)?)
}

/// Those that are to be woken at this time, each with its time, in the order of times, after this one; at most `limit`.
pub(crate) async fn due(
    db: &Db,
    now_us: i64,
    after: (i64, InteractionId),
    limit: i64,
) -> Result<Vec<(i64, InteractionId)>, StoreError> {
    let mut reader = db.read().await?;
    let rows: Vec<(i64, Uuid)> = on!(reader, conn => sqlx::query_as(
        "SELECT wake_at_us, id FROM interactions WHERE wake_at_us <= $1 AND (wake_at_us, id) > ($2, $3)
         ORDER BY wake_at_us, id LIMIT $4")
        .bind(now_us).bind(after.0).bind(after.1.0).bind(limit).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(|(at_us, id)| (at_us, InteractionId(id))).collect())
}

/// Corrects when this version of an interaction is to be woken.
pub(crate) async fn set_wake(tx: &mut Tx, live: &Live) -> Result<(), StoreError> {
    tx.statement("UPDATE interactions SET wake_at_us = $3 WHERE id = $1 AND version = $2")
        .bind(live.id.0)
        .bind(live.version.cast_signed())
        .bind(live.deadline_us())
        .run()
        .await?;
    Ok(())
}

/// Every interaction of which something is left to do, or to be acknowledged by the other services, with its version.
pub(crate) async fn unacknowledged(db: &Db) -> Result<Vec<(InteractionId, u64)>, StoreError> {
    let mut reader = db.read().await?;
    let rows: Vec<(Uuid, i64)> = on!(reader, conn => sqlx::query_as(
        "SELECT id, version FROM interactions WHERE acknowledged = 0").fetch_all(conn).await)?;
    Ok(rows.into_iter().map(|(id, version)| (InteractionId(id), version.cast_unsigned())).collect())
}

/// Remembers that everybody knows of the end: of this version, which nothing follows any more.
pub(crate) async fn acknowledge(tx: &mut Tx, interaction: &Interaction) -> Result<(), StoreError> {
    tx.statement("UPDATE interactions SET acknowledged = 1 WHERE id = $1 AND version = $2")
        .bind(interaction.id.0)
        .bind(interaction.version.cast_signed())
        .run()
        .await?;
    Ok(())
}

/// The interaction that this leg began.
pub(crate) async fn by_leg(
    tx: &mut Tx,
    tenant: &str,
    switch: &SwitchId,
    leg: &str,
) -> Result<Option<InteractionId>, StoreError> {
    let id: Option<Uuid> = on!(tx, conn => sqlx::query_scalar(
        "SELECT id FROM interactions WHERE tenant = $1 AND switch_leg = $2 AND switch_id = $3")
        .bind(tenant).bind(leg).bind(switch.as_str()).fetch_optional(conn).await)?;
    Ok(id.map(InteractionId))
}

/// A new one. `false`: the leg has begun one before.
pub(crate) async fn insert(tx: &mut Tx, live: &Live) -> Result<bool, StoreError> {
    let interaction = &live.state;
    let state = text(interaction)?;
    let stored = stored_bytes(&state, interaction);
    let inserted = tx.statement("INSERT INTO interactions (id, tenant, version, state, switch_leg, live, opened_at_us, number, customer_key, stage,
                                   ended_at_us, switch_id, stored_bytes, wake_at_us, policy_version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         ON CONFLICT (tenant, switch_leg, switch_id) DO NOTHING")
        .bind(interaction.id.0)
        .bind(&*interaction.tenant)
        .bind(interaction.version.cast_signed())
        .bind(state)
        .bind(crate::convert::view::switch_leg(interaction))
        .bind(i64::from(!interaction.settled()))
        .bind(interaction.opened_at_us)
        .bind(&*interaction.number)
        .bind(&*interaction.customer_key)
        .bind(filter::stage(interaction))
        .bind(ended_at_us(interaction))
        .bind(interaction.switch.as_str())
        .bind(stored)
        .bind(live.deadline_us())
        .bind(interaction.policy_version.cast_signed()).affected().await?;
    Ok(inserted == 1)
}

/// Compare-and-swap on the version: `false` means that another writer got there first.
///
/// What has an index is written only when it has changed: each index that a statement names costs a page in every commit. The row's time to
/// wake is always its state's.
pub(crate) async fn advance(tx: &mut Tx, before: &Live, live: &Live) -> Result<bool, StoreError> {
    let interaction = &live.state;
    let (state, notes) = (text(interaction)?, interaction.notes.len() as i64);
    let stored = stored_bytes(&state, interaction);
    let wakes_otherwise = interaction.settled() || before.deadline_us() != live.deadline_us();
    let advanced = if interaction.settled() {
        "UPDATE interactions SET version = $1, state = $2, stage = $3, notes = $7, stored_bytes = $8, live = 0, ended_at_us = $6, acknowledged = 0,
             wake_at_us = $9
         WHERE id = $4 AND version = $5"
    } else if wakes_otherwise {
        "UPDATE interactions SET version = $1, state = $2, stage = $3, notes = $7, stored_bytes = $8, wake_at_us = $9
         WHERE id = $4 AND version = $5 AND ended_at_us = $6"
    } else {
        "UPDATE interactions SET version = $1, state = $2, stage = $3, notes = $7, stored_bytes = $8
         WHERE id = $4 AND version = $5 AND ended_at_us = $6"
    };
    let statement = tx
        .statement(advanced)
        .bind(interaction.version.cast_signed())
        .bind(state)
        .bind(filter::stage(interaction))
        .bind(interaction.id.0)
        .bind(before.version.cast_signed())
        .bind(ended_at_us(interaction))
        .bind(notes)
        .bind(stored);
    let statement = if wakes_otherwise { statement.bind(live.deadline_us()) } else { statement };
    Ok(statement.affected().await? == 1)
}

/// Remembers which agents were offered the interaction by these events, who of them had a part in it, and in which team's queue it came.
pub(crate) async fn note_parties(tx: &mut Tx, interaction: &Interaction, events: &[Event]) -> Result<(), StoreError> {
    for event in events {
        match event.kind {
            EventKind::AgentOffered { agent, .. } | EventKind::TransferWaiting { recipient: agent, .. } => {
                note_agent(tx, interaction.id, agent, AgentPart::Offered).await?;
            }
            EventKind::OfferFailed { agent, .. } => {
                note_agent(tx, interaction.id, agent, AgentPart::OnlyOffered).await?;
            }
            EventKind::AgentJoined { agent, .. } => note_agent(tx, interaction.id, agent, AgentPart::Party).await?,
            EventKind::Queued { pool: Pool::Team(team), .. } => note_team(tx, interaction.id, team).await?,
            _ => {}
        }
    }
    Ok(())
}

/// The part of an agent in an interaction (H4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AgentPart {
    /// Is being offered it, or waited for, and may read it meanwhile.
    Offered = 0,
    /// Was offered it, and may read it no longer.
    OnlyOffered = 1,
    /// Has or had a part in it, and may read it.
    Party = 2,
}

/// Remembers an agent's part. Who once had a part keeps it.
pub(crate) async fn note_agent(
    tx: &mut Tx,
    id: InteractionId,
    agent: AgentId,
    part: AgentPart,
) -> Result<(), StoreError> {
    tx.statement(
        "INSERT INTO interaction_agents (agent_id, interaction_id, part) VALUES ($1, $2, $3)
         ON CONFLICT (agent_id, interaction_id) DO UPDATE SET part = $3 WHERE interaction_agents.part <> 2",
    )
    .bind(agent.0)
    .bind(id.0)
    .bind(part as i64)
    .run()
    .await?;
    Ok(())
}

/// Remembers that it was in this team's queue.
async fn note_team(tx: &mut Tx, id: InteractionId, team: TeamId) -> Result<(), StoreError> {
    tx.statement("INSERT INTO interaction_teams (team_id, interaction_id) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(team.0)
        .bind(id.0)
        .run()
        .await?;
    Ok(())
}

/// Whether the agent was ever offered it or had a part in it: then they are told why they may not do something.
pub(crate) async fn was_offered(db: &Db, id: InteractionId, agent: AgentId) -> Result<bool, StoreError> {
    let mut reader = db.read().await?;
    let found: Option<i64> = on!(reader, conn => sqlx::query_scalar(
        "SELECT CAST(1 AS BIGINT) FROM interaction_agents WHERE agent_id = $1 AND interaction_id = $2")
        .bind(agent.0).bind(id.0).fetch_optional(conn).await)?;
    Ok(found.is_some())
}

/// Whether the agent may read it.
pub(crate) async fn may_read(db: &Db, id: InteractionId, agent: AgentId) -> Result<bool, StoreError> {
    let mut reader = db.read().await?;
    let found: Option<i64> = on!(reader, conn => sqlx::query_scalar(
        "SELECT CAST(1 AS BIGINT) FROM interaction_agents WHERE agent_id = $1 AND interaction_id = $2 AND part <> 1")
        .bind(agent.0).bind(id.0).fetch_optional(conn).await)?;
    Ok(found.is_some())
}

/// Whether the agent is or was in it: more than that it was offered to them.
pub(crate) async fn was_party(db: &Db, id: InteractionId, agent: AgentId) -> Result<bool, StoreError> {
    let mut reader = db.read().await?;
    let found: Option<i64> = on!(reader, conn => sqlx::query_scalar(
        "SELECT CAST(1 AS BIGINT) FROM interaction_agents WHERE agent_id = $1 AND interaction_id = $2 AND part = 2")
        .bind(agent.0).bind(id.0).fetch_optional(conn).await)?;
    Ok(found.is_some())
}

/// Those of a tenant that ended since, oldest first: their rows changed last when they ended.
pub(crate) async fn ended_since(db: &Db, tenant: &str, since_us: i64) -> Result<Vec<InteractionId>, StoreError> {
    let mut reader = db.read().await?;
    let ids: Vec<Uuid> = on!(reader, conn => sqlx::query_scalar(
        "SELECT id FROM interactions WHERE tenant = $1 AND live = 0 AND ended_at_us >= $2 ORDER BY ended_at_us, id")
        .bind(tenant).bind(since_us).fetch_all(conn).await)?;
    Ok(ids.into_iter().map(InteractionId).collect())
}

/// When the last of it was over; 0 while it is live.
fn ended_at_us(interaction: &Interaction) -> i64 {
    if interaction.settled() { interaction.updated_at_us } else { 0 }
}

fn parse(id: InteractionId, state: &str) -> Result<Interaction, StoreError> {
    serde_json::from_str(state).map_err(|error| corrupt(id, error))
}

/// What it takes of the disk, about.
fn stored_bytes(state: &str, interaction: &Interaction) -> i64 {
    let notes: usize = interaction.notes.iter().map(|note| note.text.len()).sum();
    (state.len() + notes) as i64 + i64::from(interaction.counters.message_bytes)
}

/// All but the notes.
fn text(interaction: &Interaction) -> Result<String, StoreError> {
    let rest = Interaction { notes: Vec::new(), ..interaction.clone() };
    serde_json::to_string(&rest).map_err(|error| corrupt(interaction.id, error))
}

fn corrupt(id: InteractionId, error: serde_json::Error) -> StoreError {
    StoreError::Corrupt { table: "interactions", column: "state", row: id.to_string(), source: Some(error.into()) }
}

/// How many calls of the tenant are live.
pub(crate) async fn live_of(tx: &mut Tx, tenant: &str) -> Result<u64, StoreError> {
    let count: i64 = on!(tx, conn => sqlx::query_scalar(
        "SELECT COUNT(*) FROM interactions WHERE tenant = $1 AND live = 1").bind(tenant).fetch_one(conn).await)?;
    Ok(count.cast_unsigned())
}
