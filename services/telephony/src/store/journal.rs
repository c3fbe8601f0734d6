//! The one writer: many interactions' changes in one transaction.
//!
//! A commit that survives a power cut costs a flush of the disk, whatever is in it. So all who want to write at the same
//! moment share one. Writes are committed in the order in which they were given.

use std::sync::Arc;
use std::time::Duration;

use baton_runtime::Clock;
use baton_store::{Db, Tx};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{KeepError, PlanRow, ThingRow, UploadRow, rows};
use crate::plan::InteractionId;
use crate::thing::Key;

/// Writers wait when this many writes are queued.
const QUEUE: usize = 4096;
/// As many writes share a commit at most, so that none waits long.
const BATCH: usize = 256;
const TRIES: u32 = 5;
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
    /// Control of the switch was taken.
    Epoch(i64),
    /// Forget what ended before then.
    Prune {
        /// Then.
        before_us: i64,
    },
    /// Only wait for what came before.
    Nothing,
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
        if self.0.await.unwrap_or(false) { Ok(()) } else { Err(KeepError::Stopping) }
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

    /// Waits until everything that was queued before is committed.
    pub async fn settled(&self) -> Result<(), KeepError> {
        self.write(Write::Nothing).await
    }

    /// Queues a write that nobody waits for: what it says can be observed again.
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
            let committed = commit_with_patience(&self.db, &batch).await;
            for order in batch.drain(..) {
                if matches!(order.write, Write::Upload(_)) {
                    self.uploads.notify_one();
                }
                if let Some(done) = order.done {
                    // Whoever gave up waiting needs no answer.
                    let _ = done.send(committed);
                }
            }
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

async fn commit_with_patience(db: &Db, batch: &[Order]) -> bool {
    for attempt in 1..=TRIES {
        match commit(db, batch).await {
            Ok(()) => return true,
            Err(error) => {
                tracing::error!(%error, source = ?std::error::Error::source(&error), attempt, "telephony can't write");
            }
        }
        // A full disk does not pass in simulated time.
        Clock::real().sleep(PAUSE).await;
    }
    false
}

async fn commit(db: &Db, batch: &[Order]) -> Result<(), KeepError> {
    let mut tx = db.begin().await?;
    for order in batch {
        apply(&mut tx, &order.write).await?;
    }
    tx.commit().await?;
    Ok(())
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
        Write::Epoch(epoch) => rows::put_epoch(tx, *epoch).await,
        Write::Prune { before_us } => rows::prune(tx, *before_us).await,
        Write::Nothing => Ok(()),
    }
}
