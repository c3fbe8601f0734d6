//! The only writer of the database: one transaction commits the changes of many interactions.
//!
//! A commit that survives a power cut costs a flush of the disk, whatever its size. So writes that are queued at the same
//! time go into one commit, and what nobody waits for (observations, acknowledgements) waits a moment for other writes. While the
//! disk is busy with one commit, the next is written. Writes are committed in the order in which they were queued: one that is
//! durable is so with all that were queued before it.

use std::sync::Arc;
use std::time::Duration;

use baton_runtime::{Clock, lifecycle};
use baton_store::{Db, StoreError, Tx, VisibleCommit};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{FailedUpload, Kept, OperationRow, PersistError, PlanRow, UploadRow, rows};
use crate::operation::OperationKey;
use crate::plan::InteractionId;

/// Callers wait when this many writes are queued. So memory is bounded while nothing can be written (a full disk): each
/// interaction waits with one write in hand and executes no further step, plans are not acknowledged and will be pushed
/// again, and a resync makes up for events that are missed meanwhile.
const QUEUE_LENGTH: usize = 4096;
/// Writes in one commit, at most, so that none waits long.
const BATCH: usize = 256;
/// Interactions that one [`StoreWrite::Prune`] removes, at most.
const MOST_PRUNED: i64 = 256;
/// When the service stops and nothing can be written, the journal gives up after this many more tries.
const LAST_TRIES: u32 = 5;
/// When the service stops, the journal ends after this time without a write.
const LAST_WAIT: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_millis(100);
/// Writes that nobody waits for wait so long for others to be committed with: each would be a commit of its own. If the process crashes
/// meanwhile, the switch tells again what it has done, and the transfer service takes again what it knows.
const COMPANY: Duration = Duration::from_millis(20);

#[derive(Clone, Debug)]
pub enum StoreWrite {
    Plan(PlanRow),
    /// An operation is about to be requested.
    Requested(OperationRow),
    /// The last observation of an operation.
    Observed {
        interaction: InteractionId,
        key: OperationKey,
        /// Encoded.
        fact: Vec<u8>,
        /// The fact's position among the interaction's facts; 0: not to be reported.
        position: i64,
    },
    /// The transfer service has committed the facts at these positions.
    Acknowledged {
        interaction: InteractionId,
        positions: Vec<i64>,
    },
    /// A closed segment is to be uploaded to the archive, or the message of an exit that is about to be requested.
    Upload(UploadRow),
    /// The message of an exit that is over is to be looked for now.
    UploadDue {
        /// The message's name on the switch.
        segment: String,
    },
    /// The archive has the segment, or knows that it is lost.
    Uploaded {
        segment: String,
        /// As in the uploaded row.
        lost: bool,
    },
    UploadFailed(FailedUpload),
    /// A number that the whole service has once.
    Keep(Kept, i64),
    /// Removes the oldest tombstones of interactions that ended before then; not all at once, as dials wait for the commit.
    Prune {
        before_us: i64,
    },
    /// The interaction has ended and has nothing left on the switch: its plan becomes a tombstone.
    Finished(InteractionId),
}

/// The queue of writes. All clones are the same.
#[derive(Clone, Debug)]
pub struct WriteJournal(mpsc::Sender<JournalEntry>);

#[derive(Debug)]
struct JournalEntry {
    write: StoreWrite,
    /// `None`: nobody waits for it.
    caller: Option<WaitingCaller>,
}

/// Who queued a write, to be told whether it was accepted.
#[derive(Debug)]
struct WaitingCaller {
    written: oneshot::Sender<bool>,
    committed: oneshot::Sender<bool>,
}

/// A write that is queued and not yet committed.
#[derive(Debug)]
#[must_use = "the write is not committed before this says so"]
pub struct QueuedWrite {
    written: oneshot::Receiver<bool>,
    committed: oneshot::Receiver<bool>,
}

impl QueuedWrite {
    /// Waits until only a power cut can undo the write: a crash of the process can't any more. Asked once at most.
    pub async fn written(&mut self) -> Result<(), PersistError> {
        accepted((&mut self.written).await)
    }

    /// Waits until the write is on the disk.
    pub async fn committed(self) -> Result<(), PersistError> {
        accepted(self.committed.await)
    }
}

fn accepted(answer: Result<bool, oneshot::error::RecvError>) -> Result<(), PersistError> {
    if answer.map_err(|_| PersistError::Stopping)? { Ok(()) } else { Err(PersistError::Refused) }
}

impl WriteJournal {
    /// The journal, and the task that writes it. The task ends when all journals are dropped, or when the service is
    /// `stopping` and no write has come for a moment, as the other tasks stop first. `uploads` is notified of each new
    /// upload.
    pub fn new(
        db: Db,
        clock: Clock,
        uploads: Arc<Notify>,
        stopping: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (sender, entries) = mpsc::channel(QUEUE_LENGTH);
        (Self(sender), JournalWriter { db, clock, uploads, entries, stopping }.run())
    }

    /// The caller may await the commit later.
    pub async fn queue(&self, write: StoreWrite) -> QueuedWrite {
        let (written, was_written) = oneshot::channel();
        let (committed, was_committed) = oneshot::channel();
        // A journal that has ended drops the entry, and with it the caller, who sees that it was not committed.
        let _ = self.0.send(JournalEntry { write, caller: Some(WaitingCaller { written, committed }) }).await;
        QueuedWrite { written: was_written, committed: was_committed }
    }

    /// Queues a write, and awaits the commit.
    pub async fn write(&self, write: StoreWrite) -> Result<(), PersistError> {
        self.queue(write).await.committed().await
    }

    /// Queues a write without awaiting the commit.
    pub async fn post(&self, write: StoreWrite) {
        let _ = self.0.send(JournalEntry { write, caller: None }).await;
    }
}

struct JournalWriter {
    db: Db,
    clock: Clock,
    uploads: Arc<Notify>,
    entries: mpsc::Receiver<JournalEntry>,
    stopping: CancellationToken,
}

impl JournalWriter {
    async fn run(mut self) {
        let mut batch = Vec::new();
        while self.next(&mut batch).await {
            let busy = self.clock.busy();
            let Some((kept, commit)) = self.write_batch(&batch).await else { return };
            let mut callers = Vec::new();
            let mut has_uploads = false;
            for (JournalEntry { write, caller }, kept) in batch.drain(..).zip(kept) {
                has_uploads |= kept && matches!(write, StoreWrite::Upload(_) | StoreWrite::UploadDue { .. });
                if let Some(WaitingCaller { written, committed }) = caller {
                    // A caller that gave up waiting needs no answer, here and below.
                    let _ = written.send(kept);
                    callers.push((committed, kept));
                }
            }
            let uploads = Arc::clone(&self.uploads);
            drop(lifecycle::spawn(async move {
                let _busy = busy;
                // When the disk has failed, the process ends; nobody is told that anything was committed.
                let Ok(()) = commit.durable().await else { return };
                if has_uploads {
                    uploads.notify_one();
                }
                for (committed, kept) in callers {
                    let _ = committed.send(kept);
                }
            }));
        }
        let _ = self.db.settled().await;
    }

    /// Tries until the batch is written, as no caller repeats a write; returns of each write whether it was accepted.
    /// `None`: the service stops before.
    async fn write_batch(&self, batch: &[JournalEntry]) -> Option<(Vec<bool>, VisibleCommit)> {
        let (mut failures, mut last_tries, mut singly) = (0_u32, 0, false);
        loop {
            let error = match write(&self.db, batch, singly).await {
                Ok(written) => return Some(written),
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
                        writes = batch.len() + self.entries.len(),
                        "telephony stops with writes that are lost"
                    );
                    return None;
                }
            }
            // A full disk does not pass in simulated time.
            Clock::real().sleep(PAUSE).await;
        }
    }

    /// Awaits writes; `false`: there will be none.
    async fn next(&mut self, batch: &mut Vec<JournalEntry>) -> bool {
        tokio::select! {
            biased;
            count = self.entries.recv_many(batch, BATCH) => {
                let company = async {
                    let nobody_waits = |batch: &[JournalEntry]| batch.iter().all(|it| it.caller.is_none());
                    while nobody_waits(batch) && batch.len() < BATCH && self.entries.recv_many(batch, BATCH).await > 0 {}
                };
                // Real time: simulated time may stand still until something is written.
                let _ = Clock::real().timeout(COMPANY, company).await;
                // Where many are at work, those who are ready bring their writes first.
                tokio::task::yield_now().await;
                while batch.len() < BATCH && let Ok(entry) = self.entries.try_recv() {
                    batch.push(entry);
                }
                return count > 0;
            }
            () = self.stopping.cancelled() => {}
        }
        let late = self.entries.recv_many(batch, BATCH);
        matches!(Clock::real().timeout(LAST_WAIT, late).await, Ok(1..))
    }
}

/// `singly`: a write that the database refuses for its contents is left out, and all others are committed.
async fn write(db: &Db, batch: &[JournalEntry], singly: bool) -> Result<(Vec<bool>, VisibleCommit), StoreError> {
    let mut tx = db.begin().await?;
    let mut kept = vec![true; batch.len()];
    for (entry, kept) in batch.iter().zip(&mut kept) {
        if singly {
            *kept = apply_or_undo(&mut tx, &entry.write).await?;
        } else {
            apply(&mut tx, &entry.write).await?;
        }
    }
    Ok((kept, tx.commit_visibly().await?))
}

async fn apply_or_undo(tx: &mut Tx, write: &StoreWrite) -> Result<bool, StoreError> {
    tx.start_part().await?;
    match apply(tx, write).await {
        Ok(()) => tx.keep_part().await.map(|()| true),
        Err(error) if error.is_about_data() => {
            tracing::error!(%error, source = ?std::error::Error::source(&error), "a write is refused and dropped");
            tx.undo_part().await.map(|()| false)
        }
        Err(error) => Err(error),
    }
}

async fn apply(tx: &mut Tx, write: &StoreWrite) -> Result<(), StoreError> {
    match write {
        StoreWrite::Plan(row) => rows::put_plan(tx, row).await,
        StoreWrite::Requested(row) => rows::put_operation(tx, row).await,
        StoreWrite::Observed { interaction, key, fact, position } => {
            rows::put_fact(tx, interaction, key, fact, *position).await
        }
        StoreWrite::Acknowledged { interaction, positions } => rows::acknowledge(tx, interaction, positions).await,
        StoreWrite::Upload(row) => rows::put_upload(tx, row).await,
        StoreWrite::UploadDue { segment } => rows::put_due_upload(tx, segment).await,
        StoreWrite::Uploaded { segment, lost } => rows::delete_upload(tx, segment, *lost).await,
        StoreWrite::UploadFailed(it) => rows::put_failed_upload(tx, it).await,
        StoreWrite::Keep(what, number) => rows::keep(tx, *what, *number).await,
        StoreWrite::Prune { before_us } => rows::prune(tx, *before_us, MOST_PRUNED).await,
        StoreWrite::Finished(interaction) => rows::finish(tx, interaction).await,
    }
}

#[cfg(test)]
mod tests;
