//! The live picker (B607): first all targets that match, then each change.

use std::collections::{BTreeSet, HashMap};

use baton_api::ApiError;
use baton_api::picker::WatchTargetsResponse;
use baton_api::read_mask::ReadMask;
use prost::bytes::{Bytes, BytesMut};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, mpsc};
use tonic::Status;

use crate::index::{self, FoundTarget, PickerFilter, TargetKey, TenantIndex, Touched};
use crate::page::DirectoryCursor;

/// Messages that may wait for a client. While they wait, changes add up to one message.
pub(super) const BUFFER: usize = 2;
/// A longer list is of no use to a person.
const MAX_TARGETS: usize = 10_000;
/// All targets that match come in one message, and clients accept 4 MiB.
const MAX_BYTES: usize = 3 * 1024 * 1024;

type Out = mpsc::Sender<Result<WatchTargetsResponse, Status>>;

/// Serves one picker until its client is gone.
pub(super) async fn serve(index: &TenantIndex, filter: &PickerFilter, wanted: &ReadMask, out: Out) {
    // Subscribed before the index is read: a change in between is seen twice, and not missed.
    let mut changes = index.watch();
    let mut picker = Picker { index, filter, wanted, shown: HashMap::new() };
    let mut next = picker.everything().map(|message| Some(WatchTargetsResponse { complete: true, ..message }));
    loop {
        let is_over = next.is_err();
        if let Some(message) = next.transpose()
            && (out.send(message).await.is_err() || is_over)
        {
            return;
        }
        let Some(touched) = wait(&mut changes, &out).await else { return };
        next = picker.after(&mut changes, touched);
    }
}

/// The next agent or team that was touched (`None` inside: too many, start over); `None` when the client is gone.
async fn wait(changes: &mut broadcast::Receiver<Touched>, out: &Out) -> Option<Option<Touched>> {
    tokio::select! {
        () = out.closed() => None,
        received = changes.recv() => match received {
            Ok(touched) => Some(Some(touched)),
            Err(RecvError::Lagged(_)) => Some(None),
            Err(RecvError::Closed) => None,
        },
    }
}

struct Picker<'a> {
    index: &'a TenantIndex,
    filter: &'a PickerFilter,
    wanted: &'a ReadMask,
    /// Each as it was sent.
    shown: HashMap<TargetKey, Bytes>,
}

impl Picker<'_> {
    /// The changes since the last message, by `first` and all that was touched after it; `None` if the picker shows none of them.
    fn after(
        &mut self,
        changes: &mut broadcast::Receiver<Touched>,
        first: Option<Touched>,
    ) -> Result<Option<WatchTargetsResponse>, Status> {
        let message = match self.concerned(changes, first) {
            Some(keys) => self.refresh(keys),
            None => self.everything()?,
        };
        let has_changed = !message.changed.is_empty() || !message.removed.is_empty();
        Ok(has_changed.then_some(message))
    }

    /// The targets that may have changed; `None` if that may be any.
    fn concerned(
        &self,
        changes: &mut broadcast::Receiver<Touched>,
        first: Option<Touched>,
    ) -> Option<BTreeSet<TargetKey>> {
        let mut keys = first.and_then(|it| self.index.concerned(it));
        loop {
            match changes.try_recv() {
                Ok(touched) => {
                    let more = self.index.concerned(touched);
                    keys = keys.zip(more).map(|(mut keys, more)| {
                        keys.extend(more);
                        keys
                    });
                }
                Err(TryRecvError::Lagged(_)) => keys = None,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return keys,
            }
        }
    }

    fn refresh(&mut self, keys: BTreeSet<TargetKey>) -> WatchTargetsResponse {
        let mut message = WatchTargetsResponse::default();
        for key in keys {
            match self.index.target(self.filter, key, self.wanted) {
                Some(target) if self.shown.get(&key) == Some(&target) => {}
                Some(target) => {
                    self.shown.insert(key, target.clone());
                    message.changed.push(target);
                }
                None => message.removed.extend(self.shown.remove(&key).map(|_| key.target())),
            }
        }
        message
    }

    /// Starts over: all targets that match, compared with those that are shown.
    fn everything(&mut self) -> Result<WatchTargetsResponse, Status> {
        let first = DirectoryCursor::default();
        // Each has its own memory: it may be shown for long.
        let encoded = |it: &FoundTarget<'_>| index::encoded(it, self.wanted, &mut BytesMut::new());
        let page = self.index.targets(self.filter, &first, MAX_TARGETS, |it| (it.key(), encoded(it)));
        let page = page.unwrap_or_default();
        let found = page.targets;
        let bytes: usize = found.iter().map(|(_, target)| target.len()).sum();
        if !page.next_token.is_empty() || bytes > MAX_BYTES {
            let message = "More targets match than fit into one list. Search for a name, or choose a team.";
            return Err(ApiError::resource_exhausted(message).without_retry().into());
        }
        let keys: Vec<TargetKey> = found.iter().map(|(key, _)| *key).collect();
        let mut message = WatchTargetsResponse::default();
        for (key, target) in found {
            if self.shown.get(&key) != Some(&target) {
                self.shown.insert(key, target.clone());
                message.changed.push(target);
            }
        }
        let keys: BTreeSet<TargetKey> = keys.into_iter().collect();
        self.shown.retain(|key, _| {
            let stays = keys.contains(key);
            if !stays {
                message.removed.push(key.target());
            }
            stays
        });
        Ok(message)
    }
}
