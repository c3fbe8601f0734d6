//! What is forgotten of interactions that are over: all of them, when they are old, or who the customer was.

use super::CommandHandler;
use crate::store;
use baton_store::StoreError;
use baton_words::InteractionId;
use std::sync::Arc;

impl CommandHandler {
    /// What is deleted is not remembered, either.
    pub(crate) fn forget(&self, ids: &[InteractionId]) {
        self.recent.forget(ids);
    }

    /// Erases the customer of these in one transaction, unless one of them is not over: then that one is the error.
    pub(crate) async fn forget_customer(&self, ids: &[InteractionId]) -> Result<Result<(), InteractionId>, StoreError> {
        let change = self.db.change(|mut tx| async move {
            let mut erased = Vec::new();
            for id in ids {
                let Some(state) = store::interactions::read_in(&mut tx, *id).await? else { continue };
                if !state.settled() {
                    return Ok(tx.undone(Err(*id)));
                }
                let before = self.with_policy(state).await?;
                erased.push(Arc::new(store::customer::forget(&mut tx, &before).await?));
            }
            Ok::<_, StoreError>(tx.done(Ok(erased)))
        });
        Ok(change.await?.map(|erased| {
            for live in &erased {
                self.recent.put(live);
            }
        }))
    }
}
