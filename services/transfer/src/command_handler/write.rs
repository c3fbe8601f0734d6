//! What an input makes of an interaction, as one value; and the one writer that commits such values.
//!
//! # Theory of operation
//! An input is decided on outside of any transaction, from the interaction as it was last seen. What follows from it is a [`Change`]: the state
//! with its events and rows, and the answer under the request id. The writer compares and swaps: a change whose interaction has another
//! version in the database meanwhile writes nothing, and is decided anew by whoever brought it ([`Written::Overtaken`]). So it is right also
//! if another process writes to the same database.
//!
//! Changes that come while another transaction is under way are committed together in the next one, up to [`TOGETHER`]; one that comes alone is
//! committed at once. While one transaction waits for the disk, the next is written. A transaction that fails is done again, each change by
//! itself, so that one that can't be written takes no other with it.

use crate::{
    live::Live,
    store::{
        self,
        outside::{CapReached, OutsideLegs},
    },
};
use baton_domain::{Event, project::TransferRecord, project::open_transfer};
use baton_runtime::{clock::BusyGuard, lifecycle, telemetry::TraceParent};
use baton_store::{
    Db, StoreError, Tx,
    outbox::{self, OutboxRow},
    requests::{self, BodyHash, KeptAnswer, KnownRequest, RequestKey},
};
use baton_words::{AgentId, InteractionId};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// The most changes in one transaction: it should stay short.
const TOGETHER: usize = 64;

/// Everything that is committed together, or not at all.
#[derive(Debug, Clone)]
pub(super) struct Change {
    /// The interaction that was looked at, and its version then; `None` where there is none.
    pub(super) decided_on: Option<(InteractionId, u64)>,
    /// What is new of it; `None` for a refusal, or an input that changes nothing.
    pub(super) moved: Option<Moved>,
    pub(super) request: Option<RequestRow>,
    pub(super) now_us: i64,
}

/// An interaction before and after its next version.
#[derive(Debug, Clone)]
pub(super) struct Moved {
    pub(super) before: Arc<Live>,
    pub(super) after: Arc<Live>,
    pub(super) events: Vec<Event>,
    /// The same, as they are published.
    pub(super) outbox: Vec<OutboxRow>,
    /// Kept with the transfer that a start begins, and with a message.
    pub(super) request_key: String,
    /// Of the input.
    pub(super) trace: Option<TraceParent>,
}

/// What is kept under a request id.
#[derive(Debug, Clone)]
pub(super) struct RequestRow {
    pub(super) key: RequestKey,
    pub(super) body: BodyHash,
    /// `None`: the answer waits for the world.
    pub(super) answer: Option<KeptAnswer>,
}

/// What became of a change.
#[derive(Debug)]
pub(super) enum Written {
    /// It is on the disk.
    Committed,
    /// Nothing was written: the interaction has another version.
    Overtaken,
    /// Nothing was written: the request is known.
    Repeated(KnownRequest),
    /// Nothing was written: as many calls to numbers outside are open as there may be (X3).
    CapReached(CapReached),
}

/// The outcome for one of several callers.
pub(super) type WriteResult = Result<Written, Arc<StoreError>>;

/// A change that waits for the writer.
pub(super) struct QueuedChange {
    pub(super) change: Change,
    pub(super) done: oneshot::Sender<WriteResult>,
    /// Simulated time stands still until it is written.
    pub(super) _busy: BusyGuard,
}

/// Runs until the handler is dropped. `committed` is called for each change on the disk, before its caller is answered.
pub(super) async fn run(
    db: Db,
    mut queue: mpsc::UnboundedReceiver<QueuedChange>,
    committed: impl Fn(&Moved) + Clone + Send + 'static,
) {
    while let Some(first) = queue.recv().await {
        let mut batch = vec![first];
        let begun = db.begin().await;
        while batch.len() < TOGETHER
            && let Ok(next) = queue.try_recv()
        {
            batch.push(next);
        }
        let written = match begun {
            Ok(mut tx) => write_all(&mut tx, &batch).await.map(|written| (tx, written)),
            Err(error) => Err(error),
        };
        let (db, committed) = (db.clone(), committed.clone());
        match written {
            // The writer is free for the next batch as soon as this one is in the log, before it is on the disk.
            Ok((tx, written)) => drop(lifecycle::spawn(async move {
                let result = if written.iter().any(|it| matches!(it, Written::Committed)) {
                    tx.commit().await
                } else {
                    tx.rollback().await
                };
                match result {
                    Ok(()) => answer(batch, written.into_iter().map(Ok), &committed),
                    Err(error) => {
                        let error = Arc::new(error);
                        answer(batch, std::iter::repeat_with(|| Err(Arc::clone(&error))), &committed);
                    }
                }
            })),
            Err(error) if batch.len() == 1 && !matches!(error, StoreError::Overtaken(_)) => {
                answer(batch, std::iter::once(Err(Arc::new(error))), &committed);
            }
            Err(_) => drop(lifecycle::spawn(async move {
                for one in batch {
                    let change = &one.change;
                    let result = db.change(|mut tx| async move {
                        let written = write(&mut tx, change).await?;
                        let is_committed = matches!(written, Written::Committed);
                        Ok::<_, StoreError>(if is_committed { tx.done(written) } else { tx.undone(written) })
                    });
                    let result = result.await.map_err(Arc::new);
                    answer(vec![one], std::iter::once(result), &committed);
                }
            })),
        }
    }
}

fn answer(batch: Vec<QueuedChange>, results: impl Iterator<Item = WriteResult>, committed: &impl Fn(&Moved)) {
    for (waiting, result) in batch.into_iter().zip(results) {
        if let (Ok(Written::Committed), Some(moved)) = (&result, &waiting.change.moved) {
            committed(moved);
        }
        // It fails when the caller has gone.
        let _ = waiting.done.send(result);
    }
}

async fn write_all(tx: &mut Tx, batch: &[QueuedChange]) -> Result<Vec<Written>, StoreError> {
    let mut written = Vec::with_capacity(batch.len());
    for waiting in batch {
        written.push(write(tx, &waiting.change).await?);
    }
    Ok(written)
}

/// Writes one change; whatever does not commit has left nothing behind.
async fn write(tx: &mut Tx, change: &Change) -> Result<Written, StoreError> {
    if let Some(request) = &change.request
        && let Some(known) =
            requests::record(tx, &request.key, request.body, request.answer.as_ref(), change.now_us).await?
    {
        return Ok(Written::Repeated(known));
    }
    let written = move_on(tx, change).await?;
    if let (Some(request), false) = (&change.request, matches!(written, Written::Committed)) {
        requests::forget(tx, &request.key).await?;
    }
    Ok(written)
}

async fn move_on(tx: &mut Tx, change: &Change) -> Result<Written, StoreError> {
    let Some(Moved { before, after, events, outbox, request_key, .. }) = &change.moved else {
        let Some((id, version)) = change.decided_on else { return Ok(Written::Committed) };
        let same = store::interactions::version_in(tx, id).await? == Some(version);
        return Ok(if same { Written::Committed } else { Written::Overtaken });
    };
    let outside = OutsideLegs::between(Some(&before.state), &after.state);
    // Beside it other changes are in the same transaction: only what this one did is undone.
    let may_be_refused = outside.has_new();
    if may_be_refused {
        tx.start_part().await?;
    }
    if !store::interactions::advance(tx, before, after).await? {
        if may_be_refused {
            tx.keep_part().await?;
        }
        return Ok(Written::Overtaken);
    }
    // Only a transfer has another one dialled.
    let by = after.transfer.as_ref().map_or(AgentId(uuid::Uuid::nil()), |transfer| transfer.initiator.id);
    if let Some(cap) = outside.note(tx, (&after.state, &after.policy), by).await? {
        tx.undo_part().await?;
        return Ok(Written::CapReached(cap));
    }
    if may_be_refused {
        tx.keep_part().await?;
    }
    store::notes::append(tx, after, before.notes.len()).await?;
    store::messages::append(tx, after, events, request_key).await?;
    outbox::append(tx, outbox).await?;
    store::interactions::note_parties(tx, after, events).await?;
    for transfer in changed_transfers(before, after) {
        store::transfers::put(tx, after, &transfer, request_key).await?;
    }
    Ok(Written::Committed)
}

/// The transfers of which something is new: those that have ended since, and the open one.
fn changed_transfers(before: &Live, live: &Live) -> Vec<TransferRecord> {
    if before.transfer == live.transfer && before.journey.len() == live.journey.len() {
        return Vec::new();
    }
    let ended = live.journey[before.journey.len()..].iter().filter_map(TransferRecord::of_hop);
    ended.chain(open_transfer(&live.state, &live.policy)).collect()
}
