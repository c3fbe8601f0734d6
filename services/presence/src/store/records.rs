//! Agents with their status and the claim on them, in one read.

use std::collections::BTreeSet;

use baton_api::presence::v1::InboxItem;
use baton_runtime::auth::TenantId;
use baton_store::{StoreError, Tx, on};
use prost::Message as _;

use crate::ids::{AgentId, SiteId};
use crate::record::{ActiveClaim, AgentProfile, AgentRecord, Capacity, ClaimMedium};
use crate::status::{AgentStatus, Occupied, RequestedState, WrapUp};
use crate::store::{queue, skills};
use baton_store::Etag;

macro_rules! select_records {
    ($rest:literal) => {
        concat!(
            "SELECT a.tenant, a.agent_id, a.name, a.email, a.phone, a.voicemail, a.voice_capacity, a.chat_capacity, a.video_capacity,
                 a.skills, a.site_id, a.etag,
                 s.online, s.wish_away, s.away_reason, s.wrap_up_until_us, s.wrap_up_interaction_id, s.wrap_up_due_ids,
                 s.not_responding,
                 s.state_since_us, s.idle_since_us, s.version,
                 c.claim_id, c.interaction_id, c.state AS claim_state, c.since_us, c.inbox, c.medium AS claim_medium,
                 EXISTS (SELECT 1 FROM queued_claims q WHERE q.tenant = a.tenant AND q.agent_id = a.agent_id) AS is_queued_for,
                 EXISTS (SELECT 1 FROM claims o WHERE o.tenant = a.tenant AND o.phone = a.phone AND o.agent_id <> a.agent_id
                     AND o.state IN ('reserved', 'engaged') AND o.phone <> '') AS phone_in_use
             FROM agents a
             JOIN standings s ON s.tenant = a.tenant AND s.agent_id = a.agent_id
             LEFT JOIN claims c ON c.tenant = a.tenant AND c.agent_id = a.agent_id
                 AND c.state IN ('reserved', 'engaged') ",
            $rest
        )
    };
}

#[derive(sqlx::FromRow)]
#[expect(clippy::struct_excessive_bools, reason = "columns of two tables, turned into types at once")]
struct Row {
    tenant: String,
    agent_id: AgentId,
    name: String,
    email: String,
    phone: String,
    voicemail: bool,
    #[sqlx(flatten)]
    capacity: Capacity,
    skills: String,
    site_id: Option<SiteId>,
    etag: Etag,
    online: bool,
    #[sqlx(rename = "wish_away")]
    requested_away: bool,
    away_reason: String,
    wrap_up_until_us: Option<i64>,
    wrap_up_interaction_id: String,
    wrap_up_due_ids: String,
    not_responding: bool,
    state_since_us: i64,
    idle_since_us: i64,
    version: i64,
    claim_id: Option<String>,
    interaction_id: Option<String>,
    claim_state: Option<String>,
    since_us: Option<i64>,
    inbox: Option<Vec<u8>>,
    claim_medium: Option<String>,
    is_queued_for: bool,
    phone_in_use: bool,
}

/// One agent; `None` when there is none.
pub(crate) async fn get(tx: &mut Tx, tenant: &TenantId, id: AgentId) -> Result<Option<AgentRecord>, StoreError> {
    let rows: Vec<Row> = on!(tx, conn => sqlx::query_as(
        select_records!("WHERE a.tenant = $1 AND a.agent_id = $2 ORDER BY c.since_us, c.claim_id"))
        .bind(tenant.as_str())
        .bind(id)
        .fetch_all(conn)
        .await)?;
    Ok(all_records(tx, rows).await?.pop())
}

/// Those of these agents that there are.
pub(crate) async fn get_all(
    tx: &mut Tx,
    tenant: &TenantId,
    ids: &BTreeSet<AgentId>,
) -> Result<Vec<AgentRecord>, StoreError> {
    let rows: Vec<Row> = on!(tx, conn => {
        let mut query = sqlx::QueryBuilder::new(select_records!("WHERE a.tenant = "));
        query.push_bind(tenant.as_str()).push(" AND a.agent_id IN (NULL");
        for id in ids {
            query.push(", ").push_bind(*id);
        }
        query.push(") ORDER BY a.agent_id, c.since_us, c.claim_id").build_query_as().fetch_all(conn).await
    })?;
    all_records(tx, rows).await
}

/// Every agent of every tenant, to fill the memory at the start.
pub(crate) async fn all(tx: &mut Tx) -> Result<Vec<AgentRecord>, StoreError> {
    let rows: Vec<Row> = on!(tx, conn => sqlx::query_as(
        select_records!("ORDER BY a.tenant, a.agent_id, c.since_us, c.claim_id")).fetch_all(conn).await)?;
    all_records(tx, rows).await
}

/// Of rows of which those of one agent follow each other: one row for each claim on them, or one without.
async fn all_records(tx: &mut Tx, rows: Vec<Row>) -> Result<Vec<AgentRecord>, StoreError> {
    let mut records: Vec<AgentRecord> = Vec::with_capacity(rows.len());
    for mut row in rows {
        match records.last_mut().filter(|it| it.id == row.agent_id && it.tenant.as_str() == row.tenant) {
            Some(record) => record.claims.extend(row.claim()?),
            None => records.push(row.into_record(tx).await?),
        }
    }
    for AgentRecord { status, claims, .. } in &mut records {
        let of = |medium| claims.iter().filter(move |it| it.medium == medium);
        status.occupied = of(ClaimMedium::Voice).map(|it| it.occupied).next();
        status.chats = of(ClaimMedium::Chat).count() as i64;
    }
    Ok(records)
}

impl Row {
    /// Claims that wait for an agent are few: they are read where there are any.
    async fn into_record(mut self, tx: &mut Tx) -> Result<AgentRecord, StoreError> {
        let row = self.agent_id.to_string();
        let tenant = super::tenant(std::mem::take(&mut self.tenant), "agents", &row)?;
        let claim = self.claim()?;
        let queued = if self.is_queued_for { queue::of_agent(tx, &tenant, self.agent_id).await? } else { Vec::new() };
        let requested =
            if self.requested_away { RequestedState::Away(self.away_reason) } else { RequestedState::Available };
        let interaction_id = self.wrap_up_interaction_id;
        let due = self.wrap_up_due_ids.split_whitespace().map(str::to_owned).collect();
        let wrap_up = self.wrap_up_until_us.map(|until_us| WrapUp { until_us, interaction_id, due });
        Ok(AgentRecord {
            tenant,
            id: self.agent_id,
            profile: AgentProfile {
                name: self.name,
                email: self.email,
                phone: self.phone,
                voicemail: self.voicemail,
                capacity: self.capacity,
                skills: skills::read(&self.skills),
                site: self.site_id,
            },
            etag: self.etag,
            version: self.version,
            status: AgentStatus {
                online: self.online,
                requested,
                wrap_up,
                not_responding: self.not_responding,
                // Counted when all claims are read.
                occupied: None,
                chats: 0,
                capacity: self.capacity,
                phone_in_use: self.phone_in_use,
                state_since_us: self.state_since_us,
                idle_since_us: self.idle_since_us,
            },
            claims: claim.into_iter().collect(),
            queued,
        })
    }

    fn claim(&mut self) -> Result<Option<ActiveClaim>, StoreError> {
        let (Some(claim_id), Some(interaction_id), Some(state), Some(since_us), Some(inbox), Some(medium)) = (
            self.claim_id.take(),
            self.interaction_id.take(),
            self.claim_state.take(),
            self.since_us,
            self.inbox.take(),
            self.claim_medium.take(),
        ) else {
            return Ok(None);
        };
        let inbox = InboxItem::decode(inbox.as_slice()).map_err(|error| StoreError::Corrupt {
            table: "claims",
            column: "inbox",
            row: claim_id.clone(),
            source: Some(Box::new(error)),
        })?;
        let medium = ClaimMedium::named(&medium).ok_or_else(|| StoreError::Corrupt {
            table: "claims",
            column: "medium",
            row: claim_id.clone(),
            source: None,
        })?;
        let occupied = if state == "engaged" { Occupied::Engaged } else { Occupied::Reserved };
        Ok(Some(ActiveClaim { claim_id, interaction_id, medium, occupied, since_us, inbox }))
    }
}
