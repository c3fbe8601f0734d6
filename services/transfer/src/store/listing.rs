//! Lists of interactions, newest first. Each reads from the index of its narrowest condition: what is live, one agent's or team's, one leg, a
//! time; so that it costs what it finds, however many calls the tenant ever had (S3).

use crate::filter::{Filter, LegFilter};
use baton_store::{Bind, Db, StoreError, on};
use baton_words::InteractionId;
use sqlx::QueryBuilder;
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// Where a page goes on: after this interaction. A list of a time is in the order of when the calls began, every other one in that of the ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct After {
    opened_at_us: i64,
    pub(crate) id: InteractionId,
}

impl After {
    /// The first page.
    pub(crate) const NOTHING: Self = Self { opened_at_us: i64::MAX, id: InteractionId(Uuid::max()) };
}

/// As a page token.
impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.opened_at_us, self.id)
    }
}

impl FromStr for After {
    type Err = ();

    fn from_str(token: &str) -> Result<Self, ()> {
        let (opened_at_us, id) = token.split_once('.').ok_or(())?;
        Ok(Self { opened_at_us: opened_at_us.parse().map_err(drop)?, id: id.parse().map_err(drop)? })
    }
}

/// A page of a tenant's interactions.
#[derive(Debug)]
pub(crate) struct InteractionQuery<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) filter: &'a Filter,
    pub(crate) live_only: bool,
    pub(crate) after: After,
    pub(crate) limit: i64,
}

/// Each with where a page goes on that ends with it.
pub(crate) async fn list(db: &Db, query: &InteractionQuery<'_>) -> Result<Vec<After>, StoreError> {
    let mut reader = db.read().await?;
    let rows: Vec<(i64, Uuid)> = on!(reader, conn => statement("", query).build_query_as().fetch_all(conn).await)?;
    Ok(rows.into_iter().map(|(opened_at_us, id)| After { opened_at_us, id: InteractionId(id) }).collect())
}

/// Sets of which a call can be one: from the smallest of them it is read.
enum Source {
    /// The live ones, or all.
    Tenant,
    /// Those that began in a time.
    Time,
    /// Those of one agent, or of one team's queue.
    Listed { table: &'static str, column: &'static str, id: Uuid },
}

fn source(query: &InteractionQuery<'_>, is_live: bool) -> Source {
    let filter = query.filter;
    let agent = filter.only_of.or(filter.agent).map(|it| ("interaction_agents", "agent_id", it.0));
    let team = filter.team.map(|it| ("interaction_teams", "team_id", it.0));
    match agent.or(team) {
        Some((table, column, id)) if !is_live => Source::Listed { table, column, id },
        None if !is_live && is_by_time(filter) => Source::Time,
        _ => Source::Tenant,
    }
}

/// Nothing but a time narrows it.
fn is_by_time(filter: &Filter) -> bool {
    let has_time = filter.from_us.is_some() || filter.before_us.is_some();
    has_time && filter.number.is_none() && filter.customer_key.is_none() && filter.leg.is_none()
}

/// `prefix`: what comes before SELECT.
fn statement<DB: sqlx::Database>(prefix: &str, query: &InteractionQuery<'_>) -> QueryBuilder<DB>
where
    String: Bind<DB>,
    &'static str: Bind<DB>,
    i64: Bind<DB>,
    Uuid: Bind<DB>,
{
    let filter = query.filter;
    // What is in any other stage than the last is live.
    let is_live = query.live_only || (!filter.stages.is_empty() && !filter.stages.contains("ended"));
    let source = source(query, is_live);
    let mut select = QueryBuilder::new(prefix);
    let (id, order) = match &source {
        Source::Tenant => ("i.id", "i.id DESC"),
        Source::Time => ("i.id", "i.opened_at_us DESC, i.id DESC"),
        Source::Listed { .. } => ("l.interaction_id", "l.interaction_id DESC"),
    };
    select.push("SELECT i.opened_at_us, ").push(id).push(" FROM ");
    match source {
        Source::Tenant => {
            select.push("interactions i WHERE i.id < ").push_bind(query.after.id.0);
        }
        Source::Time => {
            select.push("interactions i WHERE (i.opened_at_us, i.id) < (").push_bind(query.after.opened_at_us);
            select.push(", ").push_bind(query.after.id.0).push(")");
        }
        Source::Listed { table, column, id } => {
            select.push(table).push(" l CROSS JOIN interactions i WHERE i.id = l.interaction_id AND l.").push(column);
            select.push(" = ").push_bind(id).push(" AND l.interaction_id < ").push_bind(query.after.id.0);
        }
    }
    select.push(" AND i.tenant = ").push_bind(query.tenant.to_owned());
    if is_live {
        select.push(" AND i.live = 1");
    }
    for agent in filter.only_of.iter().chain(&filter.agent) {
        select.push(" AND EXISTS (SELECT 1 FROM interaction_agents a WHERE a.interaction_id = i.id AND a.part <> 1");
        select.push(" AND a.agent_id = ");
        select.push_bind(agent.0).push(")");
    }
    if let Some(team) = filter.team {
        select.push(" AND EXISTS (SELECT 1 FROM interaction_teams t WHERE t.interaction_id = i.id AND t.team_id = ");
        select.push_bind(team.0).push(")");
    }
    narrow(&mut select, query);
    select.push(" ORDER BY ").push(order).push(" LIMIT ").push_bind(query.limit);
    select
}

/// The conditions on the interaction itself.
fn narrow<DB: sqlx::Database>(select: &mut QueryBuilder<DB>, query: &InteractionQuery<'_>)
where
    String: Bind<DB>,
    &'static str: Bind<DB>,
    i64: Bind<DB>,
    Uuid: Bind<DB>,
{
    let filter = query.filter;
    if let Some(number) = &filter.number {
        select.push(" AND i.number = ").push_bind(number.clone());
    }
    if let Some(key) = &filter.customer_key {
        select.push(" AND i.customer_key = ").push_bind(key.clone());
    }
    match &filter.leg {
        Some(LegFilter::Own(id)) => {
            select.push(" AND i.id = ").push_bind(id.0);
        }
        Some(LegFilter::OfSwitch(leg)) => {
            select
                .push(" AND i.id IN (SELECT s.id FROM interactions s WHERE s.tenant = ")
                .push_bind(query.tenant.to_owned());
            select.push(" AND s.switch_leg = ").push_bind(leg.clone()).push(")");
        }
        None => {}
    }
    if !filter.stages.is_empty() {
        select.push(" AND i.stage IN (");
        let mut stages = select.separated(", ");
        for stage in &filter.stages {
            stages.push_bind(*stage);
        }
        select.push(")");
    }
    if let Some(from_us) = filter.from_us {
        select.push(" AND i.opened_at_us >= ").push_bind(from_us);
    }
    if let Some(before_us) = filter.before_us {
        select.push(" AND i.opened_at_us < ").push_bind(before_us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use baton_words::{AgentId, TeamId};

    /// The steps in which the database would carry it out.
    async fn plan(db: &Db, filter: &Filter, live_only: bool) -> String {
        let query = InteractionQuery { tenant: "acme", filter, live_only, after: After::NOTHING, limit: 51 };
        let mut reader = db.read().await.unwrap();
        let steps: Vec<(i64, i64, i64, String)> = on!(reader, conn => {
            statement("EXPLAIN QUERY PLAN ", &query).build_query_as().fetch_all(conn).await
        })
        .unwrap();
        steps.into_iter().map(|step| step.3).collect::<Vec<_>>().join("; ")
    }

    #[tokio::test]
    async fn s3_no_list_reads_every_call_that_the_tenant_ever_had() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path().join("transfer.db")).await.unwrap();
        db.migrate(&crate::MIGRATIONS).await.unwrap();
        let (agent, team) = (AgentId(Uuid::from_u128(1)), TeamId(Uuid::from_u128(2)));
        let all = Filter::default();
        let own = Filter { only_of: Some(agent), ..all.clone() };
        let team = Filter { team: Some(team), ..all.clone() };
        let in_flow = Filter { stages: ["in_flow"].into(), ..own.clone() };
        let leg = Filter { leg: Some(LegFilter::OfSwitch("leg-1".to_owned())), ..all.clone() };
        let since = Filter { from_us: Some(5), ..all.clone() };
        let until = Filter { before_us: Some(9), stages: ["ended"].into(), ..all.clone() };
        let span = Filter { from_us: Some(5), before_us: Some(9), ..all.clone() };
        for (name, filter, live_only, index) in [
            ("since then", &since, false, "interactions_by_time (tenant=? AND "),
            ("ended, until then", &until, false, "interactions_by_time (tenant=? AND "),
            ("of a span", &span, false, "interactions_by_time (tenant=? AND "),
            ("live ones", &all, true, "interactions_live_newest"),
            ("an agent's live ones", &own, true, "interactions_live_newest"),
            ("a team's live ones", &team, true, "interactions_live_newest"),
            ("an agent's in the flow", &in_flow, false, "interactions_live_newest"),
            ("an agent's", &own, false, "SEARCH l USING COVERING INDEX sqlite_autoindex_interaction_agents_1"),
            ("a team's", &team, false, "SEARCH l USING COVERING INDEX sqlite_autoindex_interaction_teams_1"),
            ("of a leg", &leg, false, "interactions_by_leg"),
        ] {
            let plan = plan(&db, filter, live_only).await;
            assert!(plan.contains(index) && !plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{name}: {plan}");
        }
    }
}
