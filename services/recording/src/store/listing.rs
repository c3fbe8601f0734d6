//! Pages of recordings: newest interaction first, within it by number. Interaction ids are UUIDs of version 7, so their order
//! is that of time.
//!
//! Each kind of listing has a statement of its own, which reads an index from the end of the former page on. So a page costs
//! as much as it shows, and not as much as the tenant has. Only the recordings within one interaction are sorted.

use baton_store::{Db, StoreError, on};

use super::recordings::Row;

/// The filter and the position of a listing.
#[derive(Debug, Clone, Default)]
pub(crate) struct RecordingsQuery<'a> {
    pub(crate) tenant: &'a str,
    /// Only of this interaction; empty for all.
    pub(crate) interaction_id: &'a str,
    /// Only those in which this agent is heard; empty for all.
    pub(crate) agent_id: &'a str,
    /// Only those that come after this interaction's recording with this number; empty for the first page.
    pub(crate) after: (&'a str, i64),
}

/// Appends the parts to a query builder, whose type depends on the database.
macro_rules! build {
    ($sql:ident, $parts:expr) => {
        for part in $parts {
            match part {
                Part::Sql(text) => $sql.push(text),
                Part::Text(text) => $sql.push_bind(text),
                Part::Number(number) => $sql.push_bind(number),
            };
        }
    };
}

pub(crate) async fn page(db: &Db, query: &RecordingsQuery<'_>, limit: i64) -> Result<Vec<Row>, StoreError> {
    let mut reader = db.read().await?;
    Ok(on!(reader, conn => {
        let mut sql = sqlx::QueryBuilder::new("");
        build!(sql, statement(query, limit));
        sql.build_query_as().fetch_all(conn).await
    })?)
}

/// A part of a statement, independent of the database.
enum Part<'a> {
    Sql(&'static str),
    Text(&'a str),
    Number(i64),
}

fn statement<'a>(query: &RecordingsQuery<'a>, limit: i64) -> Vec<Part<'a>> {
    let mut parts = if !query.interaction_id.is_empty() {
        of_interaction(query)
    } else if query.agent_id.is_empty() {
        newest_first(vec![Part::Sql("SELECT k.* FROM recordings k WHERE k.tenant = "), Part::Text(query.tenant)], query)
    } else {
        newest_first(of_agent(query), query)
    };
    parts.extend([Part::Sql(" LIMIT "), Part::Number(limit)]);
    parts
}

fn of_interaction<'a>(query: &RecordingsQuery<'a>) -> Vec<Part<'a>> {
    let mut parts = vec![
        Part::Sql("SELECT r.* FROM recordings r WHERE r.tenant = "),
        Part::Text(query.tenant),
        Part::Sql(" AND r.interaction_id = "),
        Part::Text(query.interaction_id),
        Part::Sql(" AND r.number > "),
        Part::Number(query.after.1),
    ];
    if !query.agent_id.is_empty() {
        parts.extend([
            Part::Sql(
                " AND EXISTS (SELECT 1 FROM recording_agents a
                  WHERE a.tenant = r.tenant AND a.recording_id = r.recording_id AND a.agent_id = ",
            ),
            Part::Text(query.agent_id),
            Part::Sql(")"),
        ]);
    }
    parts.push(Part::Sql(" ORDER BY r.number"));
    parts
}

fn of_agent<'a>(query: &RecordingsQuery<'a>) -> Vec<Part<'a>> {
    vec![
        // A cross join is read from left to right.
        Part::Sql(
            "SELECT r.* FROM recording_agents k CROSS JOIN recordings r
             WHERE r.tenant = k.tenant AND r.recording_id = k.recording_id AND k.tenant = ",
        ),
        Part::Text(query.tenant),
        Part::Sql(" AND k.agent_id = "),
        Part::Text(query.agent_id),
    ]
}

/// Reads the interactions of the table `k`, newest first.
fn newest_first<'a>(mut parts: Vec<Part<'a>>, query: &RecordingsQuery<'a>) -> Vec<Part<'a>> {
    let (interaction_id, number) = query.after;
    if !interaction_id.is_empty() {
        parts.extend([
            Part::Sql(" AND k.interaction_id <= "),
            Part::Text(interaction_id),
            Part::Sql(" AND (k.interaction_id < "),
            Part::Text(interaction_id),
            Part::Sql(" OR number > "),
            Part::Number(number),
            Part::Sql(")"),
        ]);
    }
    parts.push(Part::Sql(" ORDER BY k.interaction_id DESC, number"));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The database's plan for a listing.
    async fn plan(db: &Db, query: &RecordingsQuery<'_>) -> Vec<String> {
        let mut reader = db.read().await.unwrap();
        let steps: Vec<(i64, i64, i64, String)> = on!(reader, conn => {
            let mut sql = sqlx::QueryBuilder::new("EXPLAIN QUERY PLAN ");
            build!(sql, statement(query, 50));
            sql.build_query_as().fetch_all(conn).await
        })
        .unwrap();
        steps.into_iter().map(|step| step.3).collect()
    }

    #[tokio::test]
    async fn no_listing_scans_or_sorts_a_whole_table() {
        let (db, _folder) = crate::store::tests::file().await;
        for interaction_id in ["", "0192-a"] {
            for agent_id in ["", "a1"] {
                for after in [("", 0), ("0192-a", 1)] {
                    let query = RecordingsQuery { tenant: "acme", interaction_id, agent_id, after };
                    let plan = plan(&db, &query).await;
                    let is_good = |step: &String| !step.contains("SCAN") && step != "USE TEMP B-TREE FOR ORDER BY";
                    assert!(plan.iter().all(is_good), "{query:?}: {plan:?}");
                    let seek = match (interaction_id, after.0) {
                        ("", "") => "",
                        ("", _) => " AND interaction_id<?",
                        _ => " AND interaction_id=? AND number>?",
                    };
                    let by_agent =
                        if agent_id.is_empty() || !interaction_id.is_empty() { "" } else { " AND agent_id=?" };
                    assert!(plan[0].contains(&format!("(tenant=?{by_agent}{seek})")), "{query:?}: {plan:?}");
                }
            }
        }
    }
}
