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
mod tests {
    use baton_store::on;

    use super::*;
    use crate::store::{MIGRATOR, uploads};

    /// Nothing that is wrong with what is written.
    const TROUBLE: &str = "CREATE TRIGGER trouble BEFORE INSERT ON uploads BEGIN SELECT * FROM not_there; END";

    async fn run_sql(db: &Db, sql: &'static str) {
        let mut tx = db.begin().await.unwrap();
        on!(tx, conn => sqlx::query(sql).execute(conn).await).unwrap();
        tx.commit().await.unwrap();
    }

    async fn journal() -> (tempfile::TempDir, Db, Journal, CancellationToken) {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path().join("telephony.db")).await.unwrap();
        db.migrate(&MIGRATOR).await.unwrap();
        let stopping = CancellationToken::new();
        let (journal, writing) = Journal::new(db.clone(), Clock::real(), Arc::default(), stopping.clone());
        baton_runtime::lifecycle::spawn(writing);
        (folder, db, journal, stopping)
    }

    fn upload(segment: &str) -> Write {
        Write::Upload(UploadRow { segment: segment.into(), ..UploadRow::default() })
    }

    #[tokio::test]
    async fn a_write_that_is_refused_takes_no_other_with_it() {
        let (_folder, db, journal, _) = journal().await;
        run_sql(
            &db,
            "CREATE TRIGGER no BEFORE INSERT ON uploads WHEN NEW.segment = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
        .await;
        let disk = db.begin().await.unwrap();
        // The first is on its way; the others share the next commit.
        let mut queued = vec![journal.queue(upload("first")).await];
        for segment in ["good", "bad", "better"] {
            queued.push(journal.queue(upload(segment)).await);
        }
        disk.rollback().await.unwrap();
        let results = futures::future::join_all(queued.into_iter().map(Queued::committed)).await;
        let kept: Vec<_> = results.iter().map(Result::is_ok).collect();
        assert_eq!(kept, [true, true, false, true]);
        assert!(matches!(results[2], Err(KeepError::Refused)));
        assert_eq!(uploads(&db).await.unwrap(), 3);
    }

    #[tokio::test]
    async fn what_can_not_be_written_now_is_kept_until_it_can() {
        let (_folder, db, journal, stopping) = journal().await;
        run_sql(&db, TROUBLE).await;
        let mut committed = Box::pin(journal.write(upload("s")));
        let early = Clock::real().timeout(Duration::from_secs(1), &mut committed).await;
        assert!(early.is_err(), "{early:?}");
        run_sql(&db, "DROP TRIGGER trouble").await;
        committed.await.unwrap();
        assert_eq!(uploads(&db).await.unwrap(), 1);

        run_sql(&db, TROUBLE).await;
        stopping.cancel();
        let late = journal.write(upload("t")).await;
        assert!(matches!(late, Err(KeepError::Stopping)), "{late:?}");
    }
}
