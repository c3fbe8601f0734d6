//! The SQL statements, one file for each table.

pub(crate) mod dial_rules;
pub(crate) mod external_numbers;
pub(crate) mod flows;
pub(crate) mod ivr_flows;
pub(crate) mod named;
pub(crate) mod numbers;
pub(crate) mod queues;
pub(crate) mod served;
pub(crate) mod waits;

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn both_databases_have_the_same_schema() {
        baton_store::testing::assert_same_schema(&crate::MIGRATIONS).await;
    }
}
