//! Transfers, for listing. The truth is in the interaction; these rows follow it in the same transaction.

use baton_domain::{Interaction, project::TransferRecord};
use baton_store::{Bind, Db, StoreError, Tx, on};
use baton_words::{AgentId, InteractionId, Phase};
use sqlx::QueryBuilder;
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

impl TransferQuery<'_> {
    /// Where the page begins, or the time before which they began, whichever is earlier: one bound, so that the index is read from there.
    fn begins_before(&self) -> Position {
        let at = |started_at_us| Position { started_at_us, interaction: InteractionId(Uuid::nil()), number: 0 };
        self.before_us.filter(|it| *it <= self.before.started_at_us).map_or(self.before, at)
    }
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
    tx.statement(
        "INSERT INTO transfers (interaction_id, number, tenant, open, started_at_us, body, request_key, phase, initiator_agent_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (interaction_id, number)
             DO UPDATE SET open = excluded.open, body = excluded.body, phase = excluded.phase",
    )
    .bind(interaction.id.0)
    .bind(i64::from(transfer.no.0))
    .bind(&*interaction.tenant)
    .bind(i64::from(transfer.phase.is_open()))
    .bind(transfer.started_at_us)
    .bind(body)
    .bind(request_key)
    .bind(transfer.phase.name())
    .bind(transfer.initiator.0)
    .run()
    .await?;
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

/// The last transfer that this agent started.
pub(crate) async fn last_of(db: &Db, tenant: &str, initiator: AgentId) -> Result<Option<TransferRecord>, StoreError> {
    let mut reader = db.read().await?;
    let row: Option<Row> = on!(reader, conn => sqlx::query_as(
        "SELECT interaction_id, body FROM transfers WHERE tenant = $1 AND initiator_agent_id = $2
         ORDER BY started_at_us DESC LIMIT 1")
        .bind(tenant).bind(initiator.0).fetch_optional(conn).await)?;
    row.map(|row| parse(InteractionId(row.interaction_id), &row.body)).transpose()
}

/// A page, newest first.
pub(crate) async fn list(
    db: &Db,
    query: TransferQuery<'_>,
) -> Result<Vec<(InteractionId, TransferRecord)>, StoreError> {
    let mut reader = db.read().await?;
    let rows: Vec<Row> = on!(reader, conn => statement("", &query).build_query_as().fetch_all(conn).await)?;
    rows.into_iter()
        .map(|row| {
            let id = InteractionId(row.interaction_id);
            Ok((id, parse(id, &row.body)?))
        })
        .collect()
}

/// Reads the rows of the narrowest condition: an interaction's, the open ones, an agent's, or those that began in this time. Only an
/// interaction's and an agent's are sorted, and never all that the tenant ever had (S3). `prefix`: what comes before SELECT.
fn statement<DB: sqlx::Database>(prefix: &str, query: &TransferQuery<'_>) -> QueryBuilder<DB>
where
    String: Bind<DB>,
    &'static str: Bind<DB>,
    i64: Bind<DB>,
    Uuid: Bind<DB>,
{
    let mut select = QueryBuilder::new(prefix);
    select.push("SELECT t.interaction_id, t.body FROM ");
    let mut agents = query.agents.iter().peekable();
    if let Some(id) = query.interaction {
        // The empty text keeps the database from reading the tenant's in their order.
        select.push("transfers t WHERE t.tenant || '' = ").push_bind(query.tenant.to_owned());
        select.push(" AND t.interaction_id = ").push_bind(id.0);
    } else if let Some(agent) = agents.next_if(|_| !query.open_only) {
        // A cross join is read from left to right.
        select.push(
            "interaction_agents l CROSS JOIN transfers t WHERE t.interaction_id = l.interaction_id AND l.agent_id = ",
        );
        select.push_bind(agent.0).push(" AND l.part <> 1 AND t.tenant = ").push_bind(query.tenant.to_owned());
    } else {
        select.push("transfers t WHERE t.tenant = ").push_bind(query.tenant.to_owned());
    }
    for agent in agents {
        select.push(
            " AND EXISTS (SELECT 1 FROM interaction_agents a WHERE a.interaction_id = t.interaction_id AND a.part <> 1",
        );
        select.push(" AND a.agent_id = ").push_bind(agent.0).push(")");
    }
    if query.open_only {
        select.push(" AND t.open = 1");
    }
    if !query.phases.is_empty() {
        select.push(" AND t.phase IN (");
        let mut phases = select.separated(", ");
        for phase in &query.phases {
            phases.push_bind(phase.name());
        }
        select.push(")");
    }
    if let Some(from_us) = query.from_us {
        select.push(" AND t.started_at_us >= ").push_bind(from_us);
    }
    let before = query.begins_before();
    select.push(" AND (t.started_at_us, t.interaction_id, t.number) < (").push_bind(before.started_at_us);
    select.push(", ").push_bind(before.interaction.0).push(", ").push_bind(before.number);
    select.push(") ORDER BY t.started_at_us DESC, t.interaction_id DESC, t.number DESC LIMIT ").push_bind(query.limit);
    select
}

fn parse(id: InteractionId, body: &str) -> Result<TransferRecord, StoreError> {
    serde_json::from_str(body).map_err(|error| corrupt(id, error))
}

fn corrupt(id: InteractionId, error: serde_json::Error) -> StoreError {
    StoreError::Corrupt { table: "transfers", column: "body", row: id.to_string(), source: Some(error.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(tenant: &str) -> TransferQuery<'_> {
        let before = Position { started_at_us: i64::MAX, interaction: InteractionId(Uuid::max()), number: i64::MAX };
        let (agents, phases) = (Vec::new(), Vec::new());
        let (from_us, before_us, interaction, open_only) = (None, None, None, false);
        TransferQuery { tenant, agents, phases, from_us, before_us, interaction, open_only, before, limit: 51 }
    }

    /// The steps in which the database would carry it out.
    async fn plan(db: &Db, query: &TransferQuery<'_>) -> String {
        let mut reader = db.read().await.unwrap();
        let steps: Vec<(i64, i64, i64, String)> = on!(reader, conn => {
            statement("EXPLAIN QUERY PLAN ", query).build_query_as().fetch_all(conn).await
        })
        .unwrap();
        steps.into_iter().map(|step| step.3).collect::<Vec<_>>().join("; ")
    }

    #[tokio::test]
    async fn s3_no_list_reads_every_transfer_that_the_tenant_ever_had() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path().join("transfer.db")).await.unwrap();
        db.migrate(&crate::MIGRATIONS).await.unwrap();
        let (agent, call) = (AgentId(Uuid::from_u128(1)), InteractionId(Uuid::from_u128(2)));
        let all = || query("acme");
        let agents = || vec![agent];
        let by_time =
            "transfers_by_tenant (tenant=? AND started_at_us>? AND (started_at_us,interaction_id,number)<(?,?,?))";
        for (name, query, index) in [
            ("of a call", TransferQuery { interaction: Some(call), agents: agents(), ..all() }, "(interaction_id=?)"),
            ("open ones", TransferQuery { open_only: true, agents: agents(), ..all() }, "transfers_open_newest"),
            (
                "an agent's",
                TransferQuery { agents: agents(), ..all() },
                "SEARCH l USING INDEX sqlite_autoindex_interaction_agents_1",
            ),
            ("of a time", TransferQuery { from_us: Some(1), before_us: Some(2), ..all() }, by_time),
        ] {
            let plan = plan(&db, &query).await;
            assert!(plan.contains(index) && !plan.contains("SCAN"), "{name}: {plan}");
        }
    }

    #[test]
    fn s3_a_page_begins_where_the_time_ends_unless_the_page_before_ended_earlier() {
        let at = |before_us: i64, page_us: i64| {
            let page = Position { started_at_us: page_us, ..query("acme").before };
            TransferQuery { before_us: Some(before_us), before: page, ..query("acme") }.begins_before()
        };
        let is = |it: Position| (it.started_at_us, it.interaction.0.is_nil());
        assert_eq!([is(at(5, 9)), is(at(5, 5)), is(at(9, 5))], [(5, true), (5, true), (5, false)]);
    }
}
