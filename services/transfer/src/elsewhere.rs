//! What another process has committed of an interaction that somebody watches here: a client's stream, or an answer that waits for the world. They
//! hear of this process's own commits at once, and of others by this look.

use crate::{command_handler::CommandHandler, store::interactions};
use baton_store::StoreError;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_millis(500);

/// Runs until the shutdown.
pub(crate) async fn run(handler: Arc<CommandHandler>, stop: CancellationToken) {
    let mut looks = handler.clock.interval(EVERY);
    while stop.run_until_cancelled(looks.tick()).await.is_some() {
        let _busy = handler.clock.busy();
        if let Err(error) = look(&handler).await {
            tracing::warn!(%error, "what was committed elsewhere could not be read; looking again");
        }
    }
}

async fn look(handler: &CommandHandler) -> Result<(), StoreError> {
    let watched = handler.hub.watched_versions();
    let ids: Vec<_> = watched.keys().copied().collect();
    for (id, version) in interactions::versions(&handler.db, &ids).await? {
        if watched.get(&id).is_some_and(|seen| *seen < version) {
            handler.take_over(id).await?;
        }
    }
    Ok(())
}
