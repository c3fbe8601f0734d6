//! What is stored, one table a file.

pub(crate) mod customer;
pub(crate) mod events;
pub(crate) mod interactions;
pub(crate) mod listing;
pub(crate) mod messages;
pub(crate) mod notes;
pub(crate) mod old;
pub(crate) mod outside;
pub(crate) mod policies;
pub(crate) mod stored;
pub(crate) mod tenants;
pub(crate) mod transfers;

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn both_databases_have_the_same_schema() {
        baton_store::testing::assert_same_schema(&crate::MIGRATIONS).await;
    }
}
