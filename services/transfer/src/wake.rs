//! Deadlines: wakes every interaction when its row says so, and submits a tick.
//!
//! The time to wake is in the database with the state, so nothing has to be remembered: this task sleeps until the earliest of all rows. A
//! commit of this process that brings an earlier one wakes it; what another process has committed is found by looking every few seconds. A tick
//! that changes nothing corrects the row, so that none is woken again and again.

use crate::{command_handler::CommandHandler, error::SubmitError, store::interactions};
use baton_domain::Input;
use baton_store::StoreError;
use baton_words::InteractionId;
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long to wait before what failed is tried again.
const AGAIN: Duration = Duration::from_millis(500);
/// For deadlines that another process has set.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Interactions that are read at once.
const BATCH: i64 = 200;

/// What commits say to the task that wakes.
#[derive(Debug)]
pub(crate) struct Wakes {
    /// Until when the task sleeps.
    planned_us: AtomicI64,
    sooner: Notify,
    /// Before then no deadline is acted upon: what happened while nobody listened is still to be reported (T4).
    not_before_us: i64,
}

impl Wakes {
    pub(crate) fn not_before(not_before_us: i64) -> Self {
        Self { planned_us: AtomicI64::new(i64::MAX), sooner: Notify::new(), not_before_us }
    }

    /// A deadline was committed.
    pub(crate) fn set(&self, deadline_us: Option<i64>) {
        if deadline_us.is_some_and(|at_us| at_us < self.planned_us.load(Ordering::SeqCst)) {
            self.sooner.notify_one();
        }
    }
}

/// Runs until the shutdown.
pub(crate) async fn run(handler: Arc<CommandHandler>, stop: CancellationToken) {
    let (clock, wakes) = (handler.clock.clone(), &handler.wakes);
    let mut not_before_us = wakes.not_before_us;
    loop {
        // Time stands still until it is known how long to sleep; and until then, every deadline is earlier.
        let busy = clock.busy();
        wakes.planned_us.store(i64::MAX, Ordering::SeqCst);
        let next = interactions::next_wake(&handler.db).await;
        let look_us = clock.after(LOOK_EVERY);
        let until_us = match next {
            Ok(next) => next.map_or(look_us, |at_us| at_us.max(not_before_us).min(look_us)),
            Err(error) => {
                tracing::warn!(%error, "the next deadline could not be read; trying again");
                clock.after(AGAIN)
            }
        };
        wakes.planned_us.store(until_us, Ordering::SeqCst);
        drop(busy);
        tokio::select! {
            () = stop.cancelled() => return,
            () = wakes.sooner.notified() => {}
            () = clock.sleep_until(until_us) => {
                let pass = stop.run_until_cancelled(wake_all(&handler, not_before_us)).await;
                match pass {
                    None => return,
                    Some(Ok(true)) => {}
                    Some(Ok(false)) => not_before_us = clock.after(AGAIN),
                    Some(Err(error)) => {
                        tracing::warn!(%error, "deadlines could not be read; trying again");
                        not_before_us = clock.after(AGAIN);
                    }
                }
            }
        }
    }
}

/// Wakes all that are due. `false`: some of them are still so, and not for lack of trying.
async fn wake_all(handler: &Arc<CommandHandler>, not_before_us: i64) -> Result<bool, StoreError> {
    let _busy = handler.clock.busy();
    let now_us = handler.clock.heard_us();
    let (mut after, mut all_woken) = ((i64::MIN, InteractionId(Uuid::nil())), true);
    if now_us < not_before_us {
        return Ok(true);
    }
    loop {
        let due = interactions::due(&handler.db, now_us, after, BATCH).await?;
        let Some(last) = due.last() else { return Ok(all_woken) };
        after = *last;
        for (at_us, id) in due {
            if let Err(error) = wake(handler, id, at_us).await {
                tracing::warn!(interaction.id = %id, %error, "a deadline could not be acted upon; trying again");
                all_woken = false;
            }
        }
    }
}

/// Submits the tick. What it leads to has its own deadline; of a state that it did not change the row is corrected, if it was wrong.
async fn wake(handler: &Arc<CommandHandler>, id: InteractionId, at_us: i64) -> Result<(), SubmitError> {
    let changed = handler.submit(id, vec![Input::Tick]).await?;
    let Some(live) = handler.load(id).await?.filter(|_| changed == Some(false)) else { return Ok(()) };
    if live.deadline_us() == Some(at_us) {
        return Err(SubmitError::Conflict);
    }
    Ok(handler.correct_wake(&live).await?)
}
