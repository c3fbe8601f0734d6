//! Waits and their answers.

use baton_api::common::v1::Medium;
use baton_api::presence::v1::ListCandidatesRequest;
use baton_api::transfer::v1::{Fact, ProposalFact, fact};
use baton_follow::report::Unacknowledged;
use baton_runtime::auth::TenantId;
use baton_store::{Reader, StoreError, Tx, on};
use prost::Message;
use uuid::Uuid;

/// Those of whom whoever is free is proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum WaitPool {
    Team(Uuid),
    Queue(Uuid),
}

impl WaitPool {
    pub(crate) fn id(self) -> Uuid {
        match self {
            Self::Team(id) | Self::Queue(id) => id,
        }
    }

    fn read(team_id: Option<Uuid>, queue_id: Option<Uuid>) -> Option<Self> {
        team_id.map(Self::Team).or(queue_id.map(Self::Queue))
    }
}

/// Whoever waits for a team.
pub(crate) const DEFAULT_PRIORITY: i64 = 5;
pub(crate) const MAX_PRIORITY: i64 = 10;

/// The media, as they are stored.
const VOICE: &str = "voice";
const CHAT: &str = "chat";

fn name(medium: Medium) -> &'static str {
    if medium == Medium::Chat { CHAT } else { VOICE }
}

/// What an interaction waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredWait {
    pub(crate) id: String,
    pub(crate) pool: WaitPool,
    /// 1 to [`MAX_PRIORITY`], higher first.
    pub(crate) priority: i64,
    pub(crate) skip: Vec<String>,
    pub(crate) since_us: i64,
    /// For what an agent is wanted.
    pub(crate) medium: Medium,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitState {
    /// The interaction waits for nothing.
    None,
    /// Not answered yet.
    Waiting,
    /// Answered with an agent.
    Proposed,
    /// Answered: no agent is left who is not skipped.
    Exhausted,
}

impl WaitState {
    const ALL: [Self; 4] = [Self::None, Self::Waiting, Self::Proposed, Self::Exhausted];

    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Waiting => "waiting",
            Self::Proposed => "proposed",
            Self::Exhausted => "exhausted",
        }
    }
}

/// An interaction with its wait and the answer to it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WaitRow {
    pub(crate) interaction_id: String,
    pub(crate) version: i64,
    pub(crate) state: WaitState,
    pub(crate) wait: Option<StoredWait>,
    pub(crate) proposal: ProposalFact,
    /// The queue in which the customer stands, also while somebody is being asked, and since when.
    pub(crate) stands_in: Option<(Uuid, i64)>,
}

impl WaitRow {
    pub(crate) fn position(&self) -> QueuePosition {
        QueuePosition {
            rank: self.wait.as_ref().map_or(0, |it| MAX_PRIORITY - it.priority),
            since_us: self.wait.as_ref().map_or(0, |it| it.since_us),
            interaction_id: self.interaction_id.clone(),
        }
    }
}

/// The highest priority comes first, and of the same the longest wait; the default is before all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QueuePosition {
    rank: i64,
    since_us: i64,
    interaction_id: String,
}

impl Default for QueuePosition {
    fn default() -> Self {
        Self { rank: i64::MIN, since_us: i64::MIN, interaction_id: String::new() }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    interaction_id: String,
    version: i64,
    state: String,
    wait_id: String,
    team_id: Option<Uuid>,
    queue_id: Option<Uuid>,
    rank: i64,
    skip: Vec<u8>,
    since_us: i64,
    medium: String,
    proposal: Vec<u8>,
    stands_in: Option<Uuid>,
    stands_since_us: i64,
}

impl TryFrom<Row> for WaitRow {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let state = WaitState::ALL.into_iter().find(|it| it.name() == row.state);
        let state = state.ok_or_else(|| corrupt("state", &row.interaction_id, None))?;
        let skip: ListCandidatesRequest = decode("skip", &row.interaction_id, &row.skip)?;
        Ok(Self {
            state,
            version: row.version,
            wait: WaitPool::read(row.team_id, row.queue_id).map(|pool| StoredWait {
                id: row.wait_id,
                pool,
                priority: MAX_PRIORITY - row.rank,
                skip: skip.skip_agent_ids,
                since_us: row.since_us,
                medium: if row.medium == CHAT { Medium::Chat } else { Medium::Voice },
            }),
            proposal: decode("proposal", &row.interaction_id, &row.proposal)?,
            interaction_id: row.interaction_id,
            stands_in: row.stands_in.map(|queue| (queue, row.stands_since_us)),
        })
    }
}

fn decode<M: Message + Default>(column: &'static str, row: &str, bytes: &[u8]) -> Result<M, StoreError> {
    M::decode(bytes).map_err(|error| corrupt(column, row, Some(error)))
}

fn corrupt(column: &'static str, row: &str, source: Option<prost::DecodeError>) -> StoreError {
    let source = source.map(|it| -> Box<dyn std::error::Error + Send + Sync> { Box::new(it) });
    StoreError::Corrupt { table: "waits", column, row: row.to_owned(), source }
}

macro_rules! select_waits {
    ($rest:literal) => {
        concat!(
            "SELECT interaction_id, version, state, wait_id, team_id, queue_id, rank, skip, since_us, medium, proposal, stands_in,
                 stands_since_us FROM waits ",
            $rest
        )
    };
}

macro_rules! select_wait {
    ($handle:ident, $tenant:ident, $interaction:ident) => {{
        let row: Option<Row> = on!($handle, conn => sqlx::query_as(
            select_waits!("WHERE tenant = $1 AND interaction_id = $2"))
            .bind($tenant.as_str())
            .bind($interaction)
            .fetch_optional(conn)
            .await)?;
        row.map(WaitRow::try_from).transpose()
    }};
}

/// The wait of an interaction; `None` when none was ever seen.
pub(crate) async fn get(tx: &mut Tx, tenant: &TenantId, interaction: &str) -> Result<Option<WaitRow>, StoreError> {
    select_wait!(tx, tenant, interaction)
}

/// The same for a reader.
pub(crate) async fn look_up(
    reader: &mut Reader,
    tenant: &TenantId,
    interaction: &str,
) -> Result<Option<WaitRow>, StoreError> {
    select_wait!(reader, tenant, interaction)
}

/// Locks the wait of an interaction, whether there is one or not: of two projections, or a projection and an answer, the second sees what the first
/// one left.
pub(crate) async fn lock(tx: &mut Tx, tenant: &TenantId, interaction: &str) -> Result<(), StoreError> {
    tx.lock([format!("routing/wait/{tenant}/{interaction}")]).await
}

/// Writes a wait. There is nothing to report: what is new in it comes from the transfer service.
pub(crate) async fn put(tx: &mut Tx, tenant: &TenantId, row: &WaitRow, now_us: i64) -> Result<(), StoreError> {
    let wait = row.wait.as_ref();
    let (team_id, queue_id) = match wait.map(|it| it.pool) {
        Some(WaitPool::Team(id)) => (Some(id), None),
        Some(WaitPool::Queue(id)) => (None, Some(id)),
        None => (None, None),
    };
    let skip = ListCandidatesRequest {
        skip_agent_ids: wait.map(|it| it.skip.clone()).unwrap_or_default(),
        ..ListCandidatesRequest::default()
    };
    tx.statement(
        "INSERT INTO waits (tenant, interaction_id, version, state, wait_id, team_id, skip, since_us, proposal,
             reported, updated_us, queue_id, rank, stands_in, stands_since_us, medium)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, TRUE, $10, $11, $12, $13, $14, $15)
         ON CONFLICT (tenant, interaction_id) DO UPDATE SET version = $3, state = $4, wait_id = $5, team_id = $6,
             skip = $7, since_us = $8, proposal = $9, updated_us = $10, queue_id = $11, rank = $12, stands_in = $13,
             stands_since_us = $14, medium = $15",
    )
    .bind(tenant.as_str())
    .bind(&row.interaction_id)
    .bind(row.version)
    .bind(row.state.name())
    .bind(wait.map_or("", |it| it.id.as_str()))
    .bind(team_id)
    .bind(skip.encode_to_vec())
    .bind(wait.map_or(0, |it| it.since_us))
    .bind(row.proposal.encode_to_vec())
    .bind(now_us)
    .bind(queue_id)
    .bind(wait.map_or(MAX_PRIORITY - DEFAULT_PRIORITY, |it| MAX_PRIORITY - it.priority))
    .bind(row.stands_in.map(|(queue, _)| queue))
    .bind(row.stands_in.map_or(0, |(_, since_us)| since_us))
    .bind(wait.map_or(VOICE, |it| name(it.medium)))
    .run()
    .await?;
    Ok(())
}

/// Answers a wait. `false`: the answer is void, because the wait is over, has another id, or was answered already.
pub(crate) async fn answer(
    tx: &mut Tx,
    tenant: &TenantId,
    interaction: &str,
    (state, proposal): (WaitState, &ProposalFact),
    reported: bool,
) -> Result<bool, StoreError> {
    let rows = tx
        .statement(
            "UPDATE waits SET state = $4, proposal = $5, reported = $6
         WHERE tenant = $1 AND interaction_id = $2 AND wait_id = $3 AND state = 'waiting'",
        )
        .bind(tenant.as_str())
        .bind(interaction)
        .bind(&proposal.wait_id)
        .bind(state.name())
        .bind(proposal.encode_to_vec())
        .bind(reported)
        .affected()
        .await?;
    Ok(rows == 1)
}

/// The waits for a team or in a queue, in their order, from `after` on; at most `limit`.
pub(crate) async fn waiting(
    reader: &mut Reader,
    tenant: &TenantId,
    (pool, medium): (WaitPool, Medium),
    after: &QueuePosition,
    limit: i64,
) -> Result<Vec<WaitRow>, StoreError> {
    let rows: Vec<Row> = on!(reader, conn => sqlx::query_as(
        select_waits!("WHERE state = 'waiting' AND tenant = $1 AND COALESCE(team_id, queue_id) = $2 AND medium = $7
             AND (rank, since_us, interaction_id) > ($3, $4, $5) ORDER BY rank, since_us, interaction_id LIMIT $6"))
        .bind(tenant.as_str())
        .bind(pool.id())
        .bind(after.rank)
        .bind(after.since_us)
        .bind(&after.interaction_id)
        .bind(limit)
        .bind(name(medium))
        .fetch_all(conn)
        .await)?;
    rows.into_iter().map(WaitRow::try_from).collect()
}

/// Whether a chat waits for this team, or in this queue.
pub(crate) async fn has_chats(reader: &mut Reader, tenant: &TenantId, pool: WaitPool) -> Result<bool, StoreError> {
    let one: Option<i64> = on!(reader, conn => sqlx::query_scalar(
        "SELECT CAST(1 AS BIGINT) FROM waits
         WHERE tenant = $1 AND COALESCE(team_id, queue_id) = $2 AND state = 'waiting' AND medium = 'chat' LIMIT 1")
        .bind(tenant.as_str())
        .bind(pool.id())
        .fetch_optional(conn)
        .await)?;
    Ok(one.is_some())
}

/// The waits of a tenant that skip agents, in their order, from `after` on; at most `limit`.
pub(crate) async fn with_skips(
    reader: &mut Reader,
    tenant: &TenantId,
    after: &QueuePosition,
    limit: i64,
) -> Result<Vec<WaitRow>, StoreError> {
    let rows: Vec<Row> = on!(reader, conn => sqlx::query_as(
        select_waits!("WHERE state = 'waiting' AND length(skip) > 0 AND tenant = $1
             AND (rank, since_us, interaction_id) > ($2, $3, $4) ORDER BY rank, since_us, interaction_id LIMIT $5"))
        .bind(tenant.as_str())
        .bind(after.rank)
        .bind(after.since_us)
        .bind(&after.interaction_id)
        .bind(limit)
        .fetch_all(conn)
        .await)?;
    rows.into_iter().map(WaitRow::try_from).collect()
}

/// The teams and queues of a tenant for which there are waits.
pub(crate) async fn pools(reader: &mut Reader, tenant: &TenantId) -> Result<Vec<WaitPool>, StoreError> {
    let pools: Vec<(Option<Uuid>, Option<Uuid>)> = on!(reader, conn => sqlx::query_as(
        "SELECT DISTINCT team_id, queue_id FROM waits WHERE state = 'waiting' AND tenant = $1")
        .bind(tenant.as_str())
        .fetch_all(conn)
        .await)?;
    Ok(pools.into_iter().filter_map(|(team_id, queue_id)| WaitPool::read(team_id, queue_id)).collect())
}

/// How many customers stand in a queue, and since when the longest does; 0 and 0 when none does.
pub(crate) async fn in_queue(reader: &mut Reader, tenant: &TenantId, queue: Uuid) -> Result<(i64, i64), StoreError> {
    Ok(on!(reader, conn => sqlx::query_as(
        "SELECT COUNT(*), COALESCE(MIN(stands_since_us), 0) FROM waits WHERE tenant = $1 AND stands_in = $2")
        .bind(tenant.as_str())
        .bind(queue)
        .fetch_one(conn)
        .await)?)
}

/// An interaction that stands in this queue.
pub(crate) async fn any_in(tx: &mut Tx, tenant: &TenantId, queue: Uuid) -> Result<Option<String>, StoreError> {
    Ok(on!(tx, conn => sqlx::query_scalar(
        "SELECT interaction_id FROM waits WHERE tenant = $1 AND stands_in = $2 ORDER BY stands_since_us LIMIT 1")
        .bind(tenant.as_str())
        .bind(queue)
        .fetch_optional(conn)
        .await)?)
}

/// How many of the same team's or queue's waits come no later than this one, itself included: its position in the queue, from 1.
pub(crate) async fn position(reader: &mut Reader, tenant: &TenantId, row: &WaitRow) -> Result<i64, StoreError> {
    let Some(wait) = &row.wait else { return Ok(0) };
    Ok(on!(reader, conn => sqlx::query_scalar(
        "SELECT COUNT(*) FROM waits WHERE state = 'waiting' AND tenant = $1 AND COALESCE(team_id, queue_id) = $2
         AND (rank, since_us, interaction_id) <= ($3, $4, $5)")
        .bind(tenant.as_str())
        .bind(wait.pool.id())
        .bind(MAX_PRIORITY - wait.priority)
        .bind(wait.since_us)
        .bind(&row.interaction_id)
        .fetch_one(conn)
        .await)?)
}

/// The tenants with waits.
pub(crate) async fn waiting_tenants(reader: &mut Reader) -> Result<Vec<TenantId>, StoreError> {
    let tenants: Vec<String> = on!(reader, conn => sqlx::query_scalar(
        "SELECT DISTINCT tenant FROM waits WHERE state = 'waiting'").fetch_all(conn).await)?;
    let tenants = tenants.into_iter().map(|it| {
        TenantId::try_from(it).map_err(|error| StoreError::Corrupt {
            table: "waits",
            column: "tenant",
            row: String::new(),
            source: Some(Box::new(error)),
        })
    });
    tenants.collect()
}

/// An answer that the transfer service has not acknowledged yet.
#[derive(Debug, Clone)]
pub(crate) struct UnreportedProposal {
    pub(crate) tenant: String,
    pub(crate) interaction_id: String,
    pub(crate) proposal: ProposalFact,
}

impl Unacknowledged for UnreportedProposal {
    async fn read(reader: &mut Reader, most: i64) -> Result<Vec<Self>, StoreError> {
        let rows: Vec<(String, String, Vec<u8>)> = on!(reader, conn => sqlx::query_as(
            "SELECT tenant, interaction_id, proposal FROM waits
             WHERE state IN ('proposed', 'exhausted') AND NOT reported ORDER BY interaction_id LIMIT $1")
            .bind(most)
            .fetch_all(conn)
            .await)?;
        let answers = rows.into_iter().map(|(tenant, interaction_id, proposal)| {
            let proposal = decode("proposal", &interaction_id, &proposal)?;
            Ok(Self { tenant, interaction_id, proposal })
        });
        answers.collect()
    }

    fn interaction_id(&self) -> &str {
        &self.interaction_id
    }

    fn fact(&self, now_us: i64) -> Fact {
        Fact { observed_at_us: now_us, fact: Some(fact::Fact::Proposal(self.proposal.clone())) }
    }

    async fn acknowledge(&self, tx: &mut Tx) -> Result<(), StoreError> {
        tx.statement("UPDATE waits SET reported = TRUE WHERE tenant = $1 AND interaction_id = $2 AND wait_id = $3")
            .bind(&self.tenant)
            .bind(&self.interaction_id)
            .bind(&self.proposal.wait_id)
            .run()
            .await?;
        Ok(())
    }
}

/// Deletes interactions that have waited for nothing since `over_before_us`. Returns how many.
pub(crate) async fn prune(tx: &mut Tx, over_before_us: i64, limit: i64) -> Result<u64, StoreError> {
    tx.statement(
        "DELETE FROM waits WHERE (tenant, interaction_id) IN
             (SELECT tenant, interaction_id FROM waits
              WHERE state = 'none' AND updated_us < $1 ORDER BY updated_us LIMIT $2)",
    )
    .bind(over_before_us)
    .bind(limit)
    .affected()
    .await
}
