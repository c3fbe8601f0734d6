//! The SQL statements, one file for each sort of row.
//!
//! Every function is one statement or a few that belong together; their callers decide what they mean.

pub(crate) mod agents;
pub(crate) mod claims;
pub(crate) mod deleted_ids;
pub(crate) mod names;
pub(crate) mod queue;
pub(crate) mod records;
pub(crate) mod sites;
pub(crate) mod skills;
pub(crate) mod statuses;
pub(crate) mod teams;
pub(crate) mod versions;

use baton_runtime::auth::TenantId;
use baton_store::StoreError;

/// Reads a tenant column.
fn tenant(text: String, table: &'static str, row: &str) -> Result<TenantId, StoreError> {
    TenantId::try_from(text).map_err(|error| StoreError::Corrupt {
        table,
        column: "tenant",
        row: row.to_owned(),
        source: Some(Box::new(error)),
    })
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn both_databases_have_the_same_schema() {
        baton_store::testing::assert_same_schema(&crate::MIGRATIONS).await;
    }
}
