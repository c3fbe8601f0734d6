//! What another process has committed of an interaction that somebody watches here: a client's stream, or an answer that waits for the world. They
//! hear of this process's own commits at once, and of others by this look.

use crate::{command_handler::CommandHandler, store::interactions};
use baton_store::StoreError;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_millis(500);

/// Runs until the shutdown.
pub(crate) async fn run(handler: Arc<CommandHandler>, stop: CancellationToken) {
    let looking = async {
        loop {
            let looked = {
                let _busy = handler.clock.busy();
                look(&handler).await
            };
            match looked {
                // Nobody watches.
                Ok(0) => handler.hub.watched.notified().await,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "what was committed elsewhere could not be read; looking again");
                }
            }
            handler.clock.sleep(EVERY).await;
        }
    };
    let _: Option<()> = stop.run_until_cancelled(looking).await;
}

/// Returns how many are watched.
async fn look(handler: &CommandHandler) -> Result<usize, StoreError> {
    let watched = handler.hub.watched_versions();
    let ids: Vec<_> = watched.keys().copied().collect();
    for (id, version) in interactions::versions(&handler.db, &ids).await? {
        if watched.get(&id).is_some_and(|seen| *seen < version) {
            handler.take_over(id).await?;
        }
    }
    Ok(watched.len())
}
