//! Claims: which interaction occupies which agent.

use baton_api::common::v1::Reason;
use baton_api::transfer::v1::{ClaimFact, Fact, claim_fact, fact};
use baton_follow::report::Unacknowledged;
use baton_runtime::auth::TenantId;
use baton_store::{Reader, StoreError, Tx, on};

use crate::ids::AgentId;
use crate::record::ClaimMedium;

/// The last three are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClaimState {
    Reserved,
    Engaged,
    Released,
    Expired,
    Refused,
}

impl ClaimState {
    fn name(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Engaged => "engaged",
            Self::Released => "released",
            Self::Expired => "expired",
            Self::Refused => "refused",
        }
    }

    /// Whether it occupies the agent.
    pub(crate) fn is_active(self) -> bool {
        matches!(self, Self::Reserved | Self::Engaged)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClaimRow {
    pub(crate) claim_id: String,
    pub(crate) interaction_id: String,
    pub(crate) agent_id: AgentId,
    pub(crate) medium: ClaimMedium,
    /// The agent's phone when the claim was made; empty: a version before made it, or it is for a chat.
    pub(crate) phone: String,
    pub(crate) state: ClaimState,
    pub(crate) reason: Reason,
    pub(crate) expires_at_us: i64,
    /// An encoded `baton.presence.v1.InboxItem`.
    pub(crate) inbox: Vec<u8>,
    pub(crate) since_us: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    claim_id: String,
    interaction_id: String,
    agent_id: AgentId,
    medium: String,
    phone: String,
    state: String,
    reason: i64,
    expires_at_us: i64,
    inbox: Vec<u8>,
    since_us: i64,
}

impl TryFrom<Row> for ClaimRow {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let states =
            [ClaimState::Reserved, ClaimState::Engaged, ClaimState::Released, ClaimState::Expired, ClaimState::Refused];
        let state = states.into_iter().find(|state| state.name() == row.state);
        let state = state.ok_or_else(|| StoreError::Corrupt {
            table: "claims",
            column: "state",
            row: row.claim_id.clone(),
            source: None,
        })?;
        let medium = ClaimMedium::named(&row.medium).ok_or_else(|| StoreError::Corrupt {
            table: "claims",
            column: "medium",
            row: row.claim_id.clone(),
            source: None,
        })?;
        Ok(Self {
            state,
            medium,
            reason: Reason::try_from(row.reason as i32).unwrap_or_default(),
            claim_id: row.claim_id,
            interaction_id: row.interaction_id,
            agent_id: row.agent_id,
            phone: row.phone,
            expires_at_us: row.expires_at_us,
            inbox: row.inbox,
            since_us: row.since_us,
        })
    }
}

/// Which rows, in which order: the columns of [`Row`] are named here alone.
macro_rules! select_claims {
    ($rest:literal) => {
        concat!(
            "SELECT claim_id, interaction_id, agent_id, medium, phone, state, reason, expires_at_us, inbox, since_us FROM claims ",
            $rest
        )
    };
}

const OF_INTERACTION: &str = select_claims!("WHERE tenant = $1 AND interaction_id = $2 ORDER BY since_us, claim_id");

fn claim_rows(rows: Vec<Row>) -> Result<Vec<ClaimRow>, StoreError> {
    rows.into_iter().map(ClaimRow::try_from).collect()
}

/// All claims of an interaction that were ever seen.
pub(crate) async fn of_interaction(
    tx: &mut Tx,
    tenant: &TenantId,
    interaction_id: &str,
) -> Result<Vec<ClaimRow>, StoreError> {
    claim_rows(on!(tx, conn => sqlx::query_as(OF_INTERACTION)
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
) -> Result<Vec<ClaimRow>, StoreError> {
    claim_rows(on!(reader, conn => sqlx::query_as(OF_INTERACTION)
        .bind(tenant.as_str())
        .bind(interaction_id)
        .fetch_all(conn)
        .await)?)
}

/// Adds a claim. `false`: an index (A1, F4) refused it, because another claim occupies the agent or their phone.
pub(crate) async fn insert(tx: &mut Tx, tenant: &TenantId, claim: &ClaimRow) -> Result<bool, StoreError> {
    add(tx, tenant, claim, false).await
}

/// The same for one that has waited: that it is granted is reported (B504).
pub(crate) async fn insert_late(tx: &mut Tx, tenant: &TenantId, claim: &ClaimRow) -> Result<bool, StoreError> {
    add(tx, tenant, claim, true).await
}

/// The first of an agent's places for claims of this medium that none has. There is one for a call; how many there may be for chats was decided
/// before. Of two claims that come to the same one at once, the index refuses the second (A1).
async fn free_slot(tx: &mut Tx, tenant: &TenantId, claim: &ClaimRow) -> Result<i64, StoreError> {
    if claim.medium == ClaimMedium::Voice || !claim.state.is_active() {
        return Ok(1);
    }
    let taken: Vec<i64> = on!(tx, conn => sqlx::query_scalar(
        "SELECT slot FROM claims
         WHERE tenant = $1 AND agent_id = $2 AND medium = $3 AND state IN ('reserved', 'engaged') ORDER BY slot")
        .bind(tenant.as_str())
        .bind(claim.agent_id)
        .bind(claim.medium.name())
        .fetch_all(conn)
        .await)?;
    Ok((1..).zip(&taken).find(|(slot, taken)| slot != *taken).map_or(taken.len() as i64 + 1, |(slot, _)| slot))
}

async fn add(tx: &mut Tx, tenant: &TenantId, claim: &ClaimRow, granted_late: bool) -> Result<bool, StoreError> {
    let slot = free_slot(tx, tenant, claim).await?;
    let rows = tx
        .statement(
            "INSERT INTO claims (tenant, claim_id, interaction_id, agent_id, state, reason, expires_at_us,
             inbox, since_us, phone, granted_late, reported, medium, slot)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, FALSE, $12, $13) ON CONFLICT DO NOTHING",
        )
        .bind(tenant.as_str())
        .bind(&claim.claim_id)
        .bind(&claim.interaction_id)
        .bind(claim.agent_id)
        .bind(claim.state.name())
        .bind(i64::from(claim.reason as i32))
        .bind(claim.expires_at_us)
        .bind(&claim.inbox)
        .bind(claim.since_us)
        .bind(&claim.phone)
        .bind(granted_late)
        .bind(claim.medium.name())
        .bind(slot)
        .affected()
        .await?;
    Ok(rows == 1)
}

/// Writes what may change while a claim is active: its state, its expiry and what the inbox shows.
pub(crate) async fn update(tx: &mut Tx, tenant: &TenantId, claim: &ClaimRow) -> Result<(), StoreError> {
    let affected = tx
        .statement(
            "UPDATE claims SET state = $3, expires_at_us = $4, inbox = $5, since_us = $6
         WHERE tenant = $1 AND claim_id = $2 AND state IN ('reserved', 'engaged')",
        )
        .bind(tenant.as_str())
        .bind(&claim.claim_id)
        .bind(claim.state.name())
        .bind(claim.expires_at_us)
        .bind(&claim.inbox)
        .bind(claim.since_us)
        .affected()
        .await?;
    one_row("updating a claim", affected)
}

/// Ends an active claim.
pub(crate) async fn end(
    tx: &mut Tx,
    tenant: &TenantId,
    claim_id: &str,
    state: ClaimState,
    reason: Reason,
) -> Result<(), StoreError> {
    let affected = tx
        .statement(
            "UPDATE claims SET state = $3, reason = $4
         WHERE tenant = $1 AND claim_id = $2 AND state IN ('reserved', 'engaged')",
        )
        .bind(tenant.as_str())
        .bind(claim_id)
        .bind(state.name())
        .bind(i64::from(reason as i32))
        .affected()
        .await?;
    one_row("ending a claim", affected)
}

/// Makes an expired reservation an engagement after all. `false`: another claim occupies the agent or their phone.
pub(crate) async fn revive(tx: &mut Tx, tenant: &TenantId, claim: &ClaimRow) -> Result<bool, StoreError> {
    let engaged = ClaimRow { state: ClaimState::Engaged, ..claim.clone() };
    let slot = free_slot(tx, tenant, &engaged).await?;
    let rows = tx
        .statement(
            "UPDATE claims SET state = 'engaged', reason = 0, inbox = $4, since_us = $5, slot = $7
         WHERE tenant = $1 AND claim_id = $2 AND state = 'expired' AND NOT EXISTS
             (SELECT 1 FROM claims c WHERE c.tenant = $1 AND c.state IN ('reserved', 'engaged')
                 AND ((c.agent_id = $3 AND c.medium = $8 AND c.slot = $7) OR (c.phone = $6 AND $6 <> '')))",
        )
        .bind(tenant.as_str())
        .bind(&claim.claim_id)
        .bind(claim.agent_id)
        .bind(&claim.inbox)
        .bind(claim.since_us)
        .bind(&claim.phone)
        .bind(slot)
        .bind(claim.medium.name())
        .affected()
        .await?;
    Ok(rows == 1)
}

/// A tenant's reservations that have run out, at most `limit`.
pub(crate) async fn run_out(
    tx: &mut Tx,
    tenant: &TenantId,
    now_us: i64,
    limit: i64,
) -> Result<Vec<ClaimRow>, StoreError> {
    claim_rows(on!(tx, conn => sqlx::query_as(
        select_claims!("WHERE state = 'reserved' AND expires_at_us <= $2 AND tenant = $1 ORDER BY expires_at_us LIMIT $3"))
        .bind(tenant.as_str())
        .bind(now_us)
        .bind(limit)
        .fetch_all(conn)
        .await)?)
}

/// Tenants with a reservation, a claim that waits or a wrap-up that has run out.
pub(crate) async fn due_tenants(reader: &mut Reader, now_us: i64) -> Result<Vec<TenantId>, StoreError> {
    let tenants: Vec<String> = on!(reader, conn => sqlx::query_scalar(
        "SELECT tenant FROM claims WHERE state = 'reserved' AND expires_at_us <= $1
         UNION SELECT tenant FROM queued_claims WHERE expires_at_us <= $1
         UNION SELECT tenant FROM standings WHERE wrap_up_until_us <= $1")
        .bind(now_us)
        .fetch_all(conn)
        .await)?;
    tenants.into_iter().map(|it| super::tenant(it, "claims", "due")).collect()
}

/// When the next reservation, claim that waits or wrap-up runs out; `None` when there is none.
pub(crate) async fn next_deadline(reader: &mut Reader) -> Result<Option<i64>, StoreError> {
    Ok(on!(reader, conn => sqlx::query_scalar(
        "SELECT min(due_us) FROM (
             SELECT min(expires_at_us) AS due_us FROM claims WHERE state = 'reserved'
             UNION ALL
             SELECT min(expires_at_us) AS due_us FROM queued_claims
             UNION ALL
             SELECT min(wrap_up_until_us) AS due_us FROM standings WHERE wrap_up_until_us IS NOT NULL
         ) AS due")
        .fetch_one(conn)
        .await)?)
}

/// What the transfer service has not acknowledged yet: a claim that ran out, or that was granted after it had waited.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct UnreportedClaim {
    pub(crate) tenant: String,
    pub(crate) claim_id: String,
    pub(crate) interaction_id: String,
    expires_at_us: i64,
    since_us: i64,
    has_expired: bool,
}

impl Unacknowledged for UnreportedClaim {
    async fn read(reader: &mut Reader, most: i64) -> Result<Vec<Self>, StoreError> {
        Ok(on!(reader, conn => sqlx::query_as(
            "SELECT tenant, claim_id, interaction_id, expires_at_us, since_us, TRUE AS has_expired FROM claims
             WHERE state = 'expired' AND NOT reported
             UNION ALL
             SELECT tenant, claim_id, interaction_id, expires_at_us, since_us, FALSE AS has_expired FROM claims
             WHERE granted_late AND state IN ('reserved', 'engaged')
             ORDER BY 3 LIMIT $1")
            .bind(most)
            .fetch_all(conn)
            .await)?)
    }

    fn interaction_id(&self) -> &str {
        &self.interaction_id
    }

    fn fact(&self, _now_us: i64) -> Fact {
        let (state, reason, observed_at_us) = if self.has_expired {
            (claim_fact::State::Expired, Reason::Expired, self.expires_at_us)
        } else {
            (claim_fact::State::Granted, Reason::Unspecified, self.since_us)
        };
        let claim = ClaimFact { claim_id: self.claim_id.clone(), state: state.into(), reason: reason.into() };
        Fact { observed_at_us, fact: Some(fact::Fact::Claim(claim)) }
    }

    async fn acknowledge(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let statement = if self.has_expired {
            "UPDATE claims SET reported = TRUE WHERE tenant = $1 AND claim_id = $2"
        } else {
            "UPDATE claims SET granted_late = FALSE WHERE tenant = $1 AND claim_id = $2"
        };
        tx.statement(statement).bind(&self.tenant).bind(&self.claim_id).run().await?;
        Ok(())
    }
}

fn one_row(doing: &'static str, affected: u64) -> Result<(), StoreError> {
    if affected == 1 { Ok(()) } else { Err(StoreError::WrongRowCount { doing, expected: 1, affected }) }
}
