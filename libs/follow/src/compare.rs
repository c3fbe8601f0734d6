//! Which projections a service lacks: whoever pushes them asks for many interactions at once, and pushes again only those.

use std::collections::HashMap;

use baton_api::ApiError;
use baton_api::common::v1::ProjectionVersion;
use baton_store::{Db, StoreError, on};

/// In one question.
const MOST: usize = 10_000;
/// In one statement.
const CHUNK: usize = 500;

/// The size of a question is limited.
///
/// # Errors
/// `INVALID_ARGUMENT` for more than 10,000 versions.
pub fn check(versions: &[ProjectionVersion]) -> Result<(), ApiError> {
    if versions.len() > MOST {
        return Err(ApiError::invalid_argument("versions", format!("must be {MOST} at most")));
    }
    Ok(())
}

/// The ids of the interactions whose version in `table` is missing or older; what is known is durable. The table has the columns `tenant`,
/// `interaction_id` and `version`, and the first two are its key.
///
/// # Errors
/// The database can't be read.
pub async fn lacking(db: &Db, table: &'static str, asked: &[ProjectionVersion]) -> Result<Vec<String>, StoreError> {
    let mut reader = db.read().await?;
    let mut lacking = Vec::new();
    for chunk in asked.chunks(CHUNK) {
        let rows: Vec<(String, String, i64)> = on!(reader, conn => {
            let mut query = sqlx::QueryBuilder::new("SELECT tenant, interaction_id, version FROM ");
            query.push(table).push(" WHERE (tenant, interaction_id) IN (");
            query.push_values(chunk, |mut row, it| {
                row.push_bind(&it.tenant).push_bind(&it.interaction_id);
            });
            query.push(")").build_query_as().fetch_all(conn).await
        })?;
        let known: HashMap<_, _> =
            rows.iter().map(|(tenant, id, version)| ((tenant.as_str(), id.as_str()), *version)).collect();
        let lacks = |it: &&ProjectionVersion| {
            let known = known.get(&(it.tenant.as_str(), it.interaction_id.as_str()));
            known.is_none_or(|version| version.cast_unsigned() < it.version)
        };
        lacking.extend(chunk.iter().filter(lacks).map(|it| it.interaction_id.clone()));
    }
    drop(reader);
    db.settled().await?;
    Ok(lacking)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(tenant: &str, id: usize, version: u64) -> ProjectionVersion {
        ProjectionVersion { tenant: tenant.into(), interaction_id: format!("i{id}"), version }
    }

    #[tokio::test]
    async fn what_is_unknown_or_older_is_lacking_and_another_tenants_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let db = baton_store::testing::open(folder.path(), "versions").await;
        db.migrate(&baton_store::Migrations::NONE).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        let table = "CREATE TABLE held (tenant TEXT, interaction_id TEXT, version BIGINT, PRIMARY KEY (tenant, interaction_id))";
        tx.statement(table).affected().await.unwrap();
        for id in 0..1_200 {
            tx.statement("INSERT INTO held VALUES ('acme', $1, 5)").bind(format!("i{id}")).affected().await.unwrap();
        }
        tx.commit().await.unwrap();
        let mut asked: Vec<_> = (0..1_200).map(|id| version("acme", id, 5)).collect();
        assert_eq!(lacking(&db, "held", &asked).await.unwrap(), Vec::<String>::new());
        asked[3].version = 6;
        asked[700].version = 4;
        asked[1_100].tenant = "other".into();
        asked.push(version("acme", 5_000, 1));
        assert_eq!(lacking(&db, "held", &asked).await.unwrap(), ["i3", "i1100", "i5000"]);
    }

    #[test]
    fn a_question_has_a_limit() {
        assert!(check(&vec![version("acme", 1, 1); MOST]).is_ok());
        assert!(check(&vec![version("acme", 1, 1); MOST + 1]).is_err());
    }
}
