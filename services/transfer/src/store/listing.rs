//! Lists of interactions, newest first. Each reads from the index of its narrowest condition: what is live, one agent's or team's, one leg; so
//! that it costs what it finds, however many calls the tenant ever had (S3).

use crate::filter::{Filter, LegFilter};
use baton_store::{Db, StoreError, on};
use baton_words::InteractionId;
use sqlx::QueryBuilder;
use uuid::Uuid;

/// A page of a tenant's interactions.
#[derive(Debug)]
pub(crate) struct InteractionQuery<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) filter: &'a Filter,
    pub(crate) live_only: bool,
    /// Older than this one.
    pub(crate) before: InteractionId,
    pub(crate) limit: i64,
}

pub(crate) async fn list(db: &Db, query: &InteractionQuery<'_>) -> Result<Vec<InteractionId>, StoreError> {
    let mut reader = db.read().await?;
    let ids: Vec<Uuid> = on!(reader, conn => statement("", query).build_query_scalar().fetch_all(conn).await)?;
    Ok(ids.into_iter().map(InteractionId).collect())
}

/// Sets of which a call can be one: from the smallest of them it is read.
enum Source {
    /// The live ones, or all.
    Tenant,
    /// Those of one agent, or of one team's queue.
    Listed { table: &'static str, column: &'static str, id: Uuid },
}

fn source(query: &InteractionQuery<'_>, is_live: bool) -> Source {
    let filter = query.filter;
    let agent = filter.only_of.or(filter.agent).map(|it| ("interaction_agents", "agent_id", it.0));
    let team = filter.team.map(|it| ("interaction_teams", "team_id", it.0));
    match agent.or(team) {
        Some((table, column, id)) if !is_live => Source::Listed { table, column, id },
        _ => Source::Tenant,
    }
}

/// `prefix`: what comes before SELECT.
fn statement(prefix: &str, query: &InteractionQuery<'_>) -> QueryBuilder<sqlx::Sqlite> {
    let filter = query.filter;
    // What is in any other stage than the last is live.
    let is_live = query.live_only || (!filter.stages.is_empty() && !filter.stages.contains("ended"));
    let source = source(query, is_live);
    let mut select = QueryBuilder::new(prefix);
    let id = match &source {
        Source::Tenant => "i.id",
        Source::Listed { .. } => "l.interaction_id",
    };
    select.push("SELECT ").push(id).push(" FROM ");
    match source {
        Source::Tenant => select.push("interactions i WHERE "),
        Source::Listed { table, column, id } => {
            select.push(table).push(" l CROSS JOIN interactions i ON i.id = l.interaction_id WHERE l.").push(column);
            select.push(" = ").push_bind(id).push(" AND ")
        }
    };
    select.push(id).push(" < ").push_bind(query.before.0);
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
    select.push(" ORDER BY ").push(id).push(" DESC LIMIT ").push_bind(query.limit);
    select
}

/// The conditions on the interaction itself.
fn narrow(select: &mut QueryBuilder<sqlx::Sqlite>, query: &InteractionQuery<'_>) {
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
        let before = InteractionId(Uuid::max());
        let query = InteractionQuery { tenant: "acme", filter, live_only, before, limit: 51 };
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
        db.migrate(&sqlx::migrate!()).await.unwrap();
        let (agent, team) = (AgentId(Uuid::from_u128(1)), TeamId(Uuid::from_u128(2)));
        let all = Filter::default();
        let own = Filter { only_of: Some(agent), ..all.clone() };
        let team = Filter { team: Some(team), ..all.clone() };
        let in_flow = Filter { stages: ["in_flow"].into(), ..own.clone() };
        let leg = Filter { leg: Some(LegFilter::OfSwitch("leg-1".to_owned())), ..all.clone() };
        for (name, filter, live_only, index) in [
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
