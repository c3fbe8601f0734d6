//! `WatchInteractions`: the live interactions of a tenant as they change, for wallboards and supervisors.
//!
//! The watch is of states, not of events: a version between two that are sent may be left out, and a client that comes back gets what it
//! may have missed by the state of now. So a reader that is too slow costs nothing but a new round.

use crate::{
    command_handler::CommandHandler,
    convert,
    filter::Filter,
    live::Live,
    store::interactions,
    store::listing::{self, After, InteractionQuery},
};
use baton_api::{
    ApiError,
    transfer::v1::{Interaction, WatchInteractionsResponse},
};
use baton_domain::Actor;
use baton_words::InteractionId;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::{broadcast::error::RecvError, mpsc};
use tonic::Status;

/// Messages that may wait for a client.
pub(super) const BUFFER: usize = 16;
/// The longest silence: the contract says 20 s.
pub(super) const CHECKPOINT_EVERY: Duration = Duration::from_secs(15);
/// A change is seen a little later than it says that it happened: a resumed stream begins so much before its cursor.
const OVERLAP_US: i64 = 10_000_000;
const PAGE: i64 = 500;

/// One stream.
pub(super) struct InteractionsWatch {
    pub(super) handler: Arc<CommandHandler>,
    pub(super) tenant: String,
    pub(super) filter: Filter,
    pub(super) viewer: Option<Actor>,
    pub(super) out: mpsc::Sender<Result<WatchInteractionsResponse, Status>>,
    /// The interactions that the client has as live, with their versions.
    pub(super) shown: HashMap<InteractionId, u64>,
}

/// The client has gone, or the database says why there is no more.
enum Over {
    ClientGone,
    Failed(Status),
}

impl From<baton_store::StoreError> for Over {
    fn from(error: baton_store::StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// The time up to which a client has everything.
pub(super) fn read_cursor(cursor: &str) -> Result<Option<i64>, ApiError> {
    if cursor.is_empty() {
        return Ok(None);
    }
    let us = (cursor.len() == 16).then(|| i64::from_str_radix(cursor, 16).ok()).flatten();
    us.map(Some).ok_or_else(|| {
        ApiError::invalid_argument("cursor", "is not one that this stream gave; leave it empty to begin anew")
    })
}

impl InteractionsWatch {
    /// Serves the stream until its client has gone.
    pub(super) async fn serve(mut self, since_us: Option<i64>) {
        if let Err(Over::Failed(status)) = self.follow(since_us).await {
            // This fails if the client has gone, too.
            let _ = self.out.try_send(Err(status));
        }
    }

    async fn follow(&mut self, since_us: Option<i64>) -> Result<(), Over> {
        let mut changes = self.handler.hub.watch_tenant(&self.tenant);
        self.round(since_us.map(|us| us.saturating_sub(OVERLAP_US))).await?;
        loop {
            let next = tokio::select! {
                next = changes.recv() => next,
                () = self.handler.clock.sleep(CHECKPOINT_EVERY) => {
                    self.send(None).await?;
                    continue;
                }
                () = self.out.closed() => return Ok(()),
            };
            match next {
                Ok(live) => self.show(&live).await?,
                Err(RecvError::Lagged(_)) => self.round(None).await?,
                Err(RecvError::Closed) => return Ok(()),
            }
        }
    }

    /// Sends everything as it is now, and then a checkpoint. `since_us`: but for what has not changed since.
    async fn round(&mut self, since_us: Option<i64>) -> Result<(), Over> {
        // What the client has as live and is not found below has ended, or fits no longer.
        let mut missing: Vec<_> = self.shown.keys().copied().collect();
        if let Some(since_us) = since_us {
            for id in interactions::ended_since(&self.handler.db, &self.tenant, since_us).await? {
                let Some(live) = self.handler.load(id).await? else { continue };
                // Where it stood, and who was in it, may have been otherwise when it was shown.
                if self.filter.is_about(&live) && self.had_agents(&live).await? {
                    self.send(Some(&live)).await?;
                }
            }
        }
        let mut after = After::NOTHING;
        loop {
            let query =
                InteractionQuery { tenant: &self.tenant, filter: &self.filter, live_only: true, after, limit: PAGE };
            let found = listing::list(&self.handler.db, &query).await?;
            for place in &found {
                missing.retain(|it| *it != place.id);
                let Some(live) = self.handler.load(place.id).await? else { continue };
                if since_us.is_some_and(|us| live.updated_at_us < us) {
                    // The client has it; from now on it is followed.
                    self.shown.insert(live.id, live.version);
                } else {
                    self.show(&live).await?;
                }
            }
            match found.last() {
                Some(last) if found.len() as i64 == PAGE => after = *last,
                _ => break,
            }
        }
        for id in missing {
            if let Some(live) = self.handler.load(id).await? {
                self.show(&live).await?;
            }
        }
        self.send(None).await
    }

    /// Whether each agent of the filter is or was a party.
    async fn had_agents(&self, live: &Live) -> Result<bool, Over> {
        for agent in self.filter.only_of.iter().chain(&self.filter.agent) {
            if !interactions::may_read(&self.handler.db, live.id, *agent).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Sends the interaction if the client has not this version of it; also once more when it fits no longer.
    async fn show(&mut self, live: &Arc<Live>) -> Result<(), Over> {
        let known = self.shown.get(&live.id).copied();
        let stays = self.filter.fits(live) && !live.settled();
        if known.is_some_and(|version| version >= live.version) || (known.is_none() && !stays) {
            return Ok(());
        }
        if stays {
            self.shown.insert(live.id, live.version);
        } else {
            self.shown.remove(&live.id);
        }
        self.send(Some(live)).await
    }

    async fn send(&self, live: Option<&Live>) -> Result<(), Over> {
        let view = |live: &Live| -> Interaction { convert::view::listed(live, self.viewer.as_ref()) };
        let cursor = format!("{:016x}", self.handler.clock.now_us());
        let message = WatchInteractionsResponse { interaction: live.map(view), cursor };
        self.out.send(Ok(message)).await.map_err(|_| Over::ClientGone)
    }
}
