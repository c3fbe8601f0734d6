//! Deletes the rows of interactions that stopped waiting long ago.

use std::time::Duration;

use baton_runtime::clock::micros;
use baton_store::{Db, StoreError, change};

use crate::core::RoutingCore;
use crate::store::{served, waits};

const EVERY: Duration = Duration::from_hours(1);
/// No projection comes this long after the last one of its interaction.
const KEPT: Duration = Duration::from_hours(24);
/// For the calls of a day, wherever that day is.
const SERVED_KEPT: Duration = Duration::from_hours(48);
const BATCH: i64 = 500;

/// Starts it, for as long as the service runs.
pub(crate) fn start(core: &RoutingCore) {
    let db = core.db.clone();
    core.lifecycle.every("routing pruning", (&core.clock, EVERY), move |now_us| {
        let db = db.clone();
        async move { delete(&db, db.trusted_us(now_us).await? - micros(KEPT)).await }
    });
}

async fn delete(db: &Db, over_before_us: i64) -> Result<(), StoreError> {
    loop {
        let waits = db.change(change!(|tx| { waits::prune(tx, over_before_us, BATCH).await })).await?;
        let calls =
            db.change(change!(|tx| { served::prune(tx, over_before_us - micros(SERVED_KEPT), BATCH).await })).await?;
        if waits == 0 && calls == 0 {
            return Ok(());
        }
    }
}
