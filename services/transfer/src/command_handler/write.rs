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
//! itself, so that one that can't be written takes no other with it. An answer that has waited for the world ([`RequestWrite::Conclude`]) is
//! committed among the others, and waits only until it can be seen.

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
use tokio::sync::{OwnedMutexGuard, mpsc, oneshot};

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

impl Change {
    fn is_conclusion(&self) -> bool {
        matches!(&self.request, Some(RequestRow { write: RequestWrite::Conclude(_), .. }))
    }
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
    pub(super) write: RequestWrite,
}

#[derive(Debug, Clone)]
pub(super) enum RequestWrite {
    /// That it was asked, and the answer; `None`: the answer waits for the world.
    Begin(Option<KeptAnswer>),
    /// The answer that has waited. The first one stands. If the machine stops before it is on the disk, whoever asks again is answered by what the
    /// world is like then.
    Conclude(KeptAnswer),
}

/// What became of a change.
#[derive(Debug)]
pub(super) enum Written {
    /// It is on the disk, or will be soon if it is a conclusion.
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
    /// The interaction's turn, which lasts until the change is committed or has failed.
    pub(super) _turn: Option<Arc<OwnedMutexGuard<()>>>,
}

/// Runs until the handler is dropped. `committed` is called for each change on the disk, before its caller is answered.
pub(super) async fn run(
    db: Db,
    mut queue: mpsc::UnboundedReceiver<QueuedChange>,
    committed: impl Fn(&Moved) + Clone + Send + Sync + 'static,
) {
    while let Some(first) = queue.recv().await {
        let mut batch = vec![first];
        // Where many are at work, those who are ready bring their changes first.
        tokio::task::yield_now().await;
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
                end(tx, batch.into_iter().zip(written).collect(), &committed).await;
            })),
            Err(error) if batch.len() == 1 && !matches!(error, StoreError::Overtaken(_)) => {
                fail(batch, error);
            }
            Err(_) => drop(lifecycle::spawn(async move {
                for one in batch {
                    let change = &one.change;
                    let written = db.change(|mut tx| async move {
                        let written = write(&mut tx, change).await?;
                        Ok::<_, StoreError>(match written {
                            Written::Committed if change.is_conclusion() => tx.done_lazily(written),
                            Written::Committed => tx.done(written),
                            _ => tx.undone(written),
                        })
                    });
                    match written.await {
                        Ok(written) => answer(vec![(one, written)], &Ok(()), &committed),
                        Err(error) => fail([one], error),
                    }
                }
            })),
        }
    }
}

/// Ends the transaction in which all of this was written, and answers.
async fn end(tx: Tx, batch: Vec<(QueuedChange, Written)>, committed: &impl Fn(&Moved)) {
    let is_committed = |written: &Written| matches!(written, Written::Committed);
    let is_changed = batch.iter().any(|(_, written)| is_committed(written));
    let (concluded, waiting): (Vec<_>, Vec<_>) =
        batch.into_iter().partition(|(it, written)| it.change.is_conclusion() && is_committed(written));
    let visible = if !is_changed {
        tx.rollback().await.map(|()| None)
    } else if waiting.is_empty() {
        tx.commit_lazily().await.map(|()| None)
    } else {
        tx.commit_visibly().await.map(Some)
    };
    let visible = visible.map_err(Arc::new);
    answer(concluded, &visible.as_ref().map(drop).map_err(Arc::clone), committed);
    let ended = match visible {
        Ok(Some(commit)) => commit.durable().await.map_err(Arc::new),
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    answer(waiting, &ended, committed);
}

fn answer(batch: Vec<(QueuedChange, Written)>, ended: &Result<(), Arc<StoreError>>, committed: &impl Fn(&Moved)) {
    for (it, written) in batch {
        if let (Ok(()), Written::Committed, Some(moved)) = (ended, &written, &it.change.moved) {
            committed(moved);
        }
        // It fails when the caller has gone.
        let _ = it.done.send(ended.clone().map(|()| written));
    }
}

fn fail(batch: impl IntoIterator<Item = QueuedChange>, error: StoreError) {
    let error = Arc::new(error);
    for it in batch {
        let _ = it.done.send(Err(Arc::clone(&error)));
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
    if let Some(RequestRow { key, body, write }) = &change.request {
        let known = match write {
            RequestWrite::Begin(answer) => requests::record(tx, key, *body, answer.as_ref(), change.now_us).await?,
            RequestWrite::Conclude(answer) if requests::answer(tx, key, answer).await? => None,
            RequestWrite::Conclude(_) => Some(requests::known(tx, key, *body).await?),
        };
        if let Some(known) = known {
            return Ok(Written::Repeated(known));
        }
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
