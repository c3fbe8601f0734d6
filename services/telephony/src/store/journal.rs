//! The one writer: many interactions' changes in one transaction.
//!
//! A commit that survives a power cut costs a flush of the disk, whatever is in it. So all who want to write at the same
//! moment share one. Writes are committed in the order in which they were given.

use std::sync::Arc;
use std::time::Duration;

use baton_runtime::Clock;
use baton_store::{Db, StoreError, Tx};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{FailedUpload, KeepError, PlanRow, ThingRow, UploadRow, rows};
use crate::plan::InteractionId;
use crate::thing::Key;

/// Writers wait when this many writes are queued. So while nothing can be written (a full disk) the memory that it takes is
/// bounded: each interaction waits with one write in hand and takes no further step, plans are not acknowledged and will be
/// pushed again, and what the switch says meanwhile is caught up with by a look.
const QUEUE: usize = 4096;
/// As many writes share a commit at most, so that none waits long.
const BATCH: usize = 256;
/// Interactions that are forgotten at once.
const MOST_PRUNED: i64 = 256;
/// When the service stops and nothing can be written, it is given up after so many tries more.
const LAST_TRIES: u32 = 5;
/// When the service stops: whoever writes last does so within this time of the one before.
const LAST_WAIT: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_millis(100);

/// One change.
#[derive(Clone, Debug)]
pub enum Write {
    /// A plan was taken over.
    Plan(PlanRow),
    /// The switch is about to be asked.
    Asked(ThingRow),
    /// Something was observed.
    Observed {
        /// The interaction.
        interaction: InteractionId,
        /// The thing.
        key: Key,
        /// A fact, encoded.
        fact: Vec<u8>,
        /// Its place among the interaction's observations; 0: not to be reported.
        position: i64,
    },
    /// Observations were committed by the transfer service.
    Acked {
        /// The interaction.
        interaction: InteractionId,
        /// Their places.
        positions: Vec<i64>,
    },
    /// A segment is to be brought to the archive.
    Upload(UploadRow),
    /// It is there.
    Uploaded {
        /// The segment.
        segment: String,
        /// As it was listed: lost, or not.
        lost: bool,
    },
    /// It could not be brought.
    UploadFailed(FailedUpload),
    /// Control of the switch was taken.
    Epoch(i64),
    /// Forget what ended before then; not all at once, as dials wait for it.
    Prune {
        /// Then.
        before_us: i64,
    },
    /// Nothing is left of an interaction that has ended.
    Finished(InteractionId),
}

/// The way to the writer. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Journal(mpsc::Sender<Order>);

#[derive(Debug)]
struct Order {
    write: Write,
    done: Option<oneshot::Sender<bool>>,
}

/// A write that is queued; awaited, it says whether it was committed.
#[derive(Debug)]
#[must_use = "the write is not committed before this says so"]
pub struct Queued(oneshot::Receiver<bool>);

impl Queued {
    /// Waits for the commit.
    pub async fn committed(self) -> Result<(), KeepError> {
        match self.0.await {
            Ok(true) => Ok(()),
            Ok(false) => Err(KeepError::Refused),
            Err(_) => Err(KeepError::Stopping),
        }
    }
}

impl Journal {
    /// The journal, and the task that writes it. It ends when all journals are dropped, or when the service is `stopping` and
    /// nobody has written for a moment: the others stop first.
    /// `uploads` is told when there are new ones.
    pub fn new(
        db: Db,
        clock: Clock,
        uploads: Arc<Notify>,
        stopping: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (sender, orders) = mpsc::channel(QUEUE);
        (Self(sender), Writer { db, clock, uploads, orders, stopping }.run())
    }

    /// Queues a write whose commit the caller waits for.
    pub async fn queue(&self, write: Write) -> Queued {
        let (done, committed) = oneshot::channel();
        // A journal that has ended drops the order, and with it `done`: the caller sees that it was not committed.
        let _ = self.0.send(Order { write, done: Some(done) }).await;
        Queued(committed)
    }

    /// Writes, and waits for the commit.
    pub async fn write(&self, write: Write) -> Result<(), KeepError> {
        self.queue(write).await.committed().await
    }

    /// Queues a write that nobody waits for.
    pub async fn post(&self, write: Write) {
        let _ = self.0.send(Order { write, done: None }).await;
    }
}

struct Writer {
    db: Db,
    clock: Clock,
    uploads: Arc<Notify>,
    orders: mpsc::Receiver<Order>,
    stopping: CancellationToken,
}

impl Writer {
    async fn run(mut self) {
        let mut batch = Vec::new();
        while self.next(&mut batch).await {
            let _busy = self.clock.busy();
            let Some(kept) = self.keep(&batch).await else { return };
            for (order, kept) in batch.drain(..).zip(kept) {
                if kept && matches!(order.write, Write::Upload(_)) {
                    self.uploads.notify_one();
                }
                if let Some(done) = order.done {
                    // Whoever gave up waiting needs no answer.
                    let _ = done.send(kept);
                }
            }
        }
    }

    /// Tries until it is committed, as nobody repeats what is in it; says of each write whether it was taken. `None`: the
    /// service stops before.
    async fn keep(&self, batch: &[Order]) -> Option<Vec<bool>> {
        let (mut failures, mut last_tries, mut singly) = (0_u32, 0, false);
        loop {
            let error = match commit(&self.db, batch, singly).await {
                Ok(kept) => return Some(kept),
                Err(error) if error.is_about_data() && !singly => {
                    singly = true;
                    continue;
                }
                Err(error) => error,
            };
            failures = failures.saturating_add(1);
            if failures.is_power_of_two() {
                tracing::error!(%error, source = ?std::error::Error::source(&error), failures, "telephony can't write; trying again");
            }
            if self.stopping.is_cancelled() {
                last_tries += 1;
                if last_tries == LAST_TRIES {
                    tracing::error!(
                        writes = batch.len() + self.orders.len(),
                        "telephony stops with writes that are lost"
                    );
                    return None;
                }
            }
            // A full disk does not pass in simulated time.
            Clock::real().sleep(PAUSE).await;
        }
    }

    /// Waits for orders; `false`: there will be none.
    async fn next(&mut self, batch: &mut Vec<Order>) -> bool {
        tokio::select! {
            biased;
            count = self.orders.recv_many(batch, BATCH) => return count > 0,
            () = self.stopping.cancelled() => {}
        }
        let late = self.orders.recv_many(batch, BATCH);
        matches!(Clock::real().timeout(LAST_WAIT, late).await, Ok(1..))
    }
}

/// `singly`: a write that the database refuses for what it says is left out, and all others are committed.
async fn commit(db: &Db, batch: &[Order], singly: bool) -> Result<Vec<bool>, StoreError> {
    let mut tx = db.begin().await?;
    let mut kept = vec![true; batch.len()];
    for (order, kept) in batch.iter().zip(&mut kept) {
        if singly {
            *kept = apply_or_undo(&mut tx, &order.write).await?;
        } else {
            apply(&mut tx, &order.write).await?;
        }
    }
    tx.commit().await?;
    Ok(kept)
}

async fn apply_or_undo(tx: &mut Tx, write: &Write) -> Result<bool, StoreError> {
    tx.start_part().await?;
    match apply(tx, write).await.map_err(StoreError::from) {
        Ok(()) => tx.keep_part().await.map(|()| true),
        Err(error) if error.is_about_data() => {
            tracing::error!(%error, source = ?std::error::Error::source(&error), "a write is refused and dropped");
            tx.undo_part().await.map(|()| false)
        }
        Err(error) => Err(error),
    }
}

async fn apply(tx: &mut Tx, write: &Write) -> Result<(), sqlx::Error> {
    match write {
        Write::Plan(row) => rows::put_plan(tx, row).await,
        Write::Asked(row) => rows::put_thing(tx, row).await,
        Write::Observed { interaction, key, fact, position } => {
            rows::put_fact(tx, interaction, key, fact, *position).await
        }
        Write::Acked { interaction, positions } => rows::acked(tx, interaction, positions).await,
        Write::Upload(row) => rows::put_upload(tx, row).await,
        Write::Uploaded { segment, lost } => rows::delete_upload(tx, segment, *lost).await,
        Write::UploadFailed(it) => rows::put_failed_upload(tx, it).await,
        Write::Epoch(epoch) => rows::put_epoch(tx, *epoch).await,
        Write::Prune { before_us } => rows::prune(tx, *before_us, MOST_PRUNED).await,
        Write::Finished(interaction) => rows::finish(tx, interaction).await,
    }
}

#[cfg(test)]
mod tests;
