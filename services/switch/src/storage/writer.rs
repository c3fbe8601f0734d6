//! The writer of the data folder: one thread that carries out the engine's effects on files, in order, so that the disk does not delay
//! the sound.
//!
//! Jobs wait in a bounded queue. When it is full the driver waits, and its frames are late, which is counted: no sample of a recording
//! is dropped. A recording that can't be written is reported once, and ends.

use std::collections::HashSet;

use tokio::sync::{mpsc, oneshot};

use crate::engine::ids::RecordingId;
use crate::engine::{Effect, TrackKey, WrittenTrack};

use super::error::StorageError;
use super::{PhoneLine, SwitchFolder};

/// Some seconds of 100 recorded calls.
const QUEUE: usize = 4_096;

/// The result of writing a recording's file.
pub(crate) type RecordingWritten = (RecordingId, Result<WrittenTrack, String>);

#[derive(Debug)]
pub(crate) enum Job {
    Effect(Effect),
    /// Is answered when all earlier jobs are done.
    Sync(oneshot::Sender<()>),
}

#[derive(Debug)]
pub(crate) struct FolderWriter {
    folder: SwitchFolder,
    /// Unbounded: the driver waits for this thread, so this thread must not wait for the driver. It holds one message for each live
    /// recording.
    written: mpsc::UnboundedSender<RecordingWritten>,
    broken: HashSet<TrackKey>,
}

impl FolderWriter {
    /// Starts the thread; it ends when the sender of jobs is dropped.
    pub(crate) fn start(
        folder: SwitchFolder,
    ) -> (mpsc::Sender<Job>, mpsc::UnboundedReceiver<RecordingWritten>, tokio::task::JoinHandle<()>) {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let (written, results) = mpsc::unbounded_channel();
        let writer = Self { folder, written, broken: HashSet::new() };
        let thread = tokio::task::spawn_blocking(move || writer.run(queue));
        (jobs, results, thread)
    }

    fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        while let Some(job) = queue.blocking_recv() {
            self.take(job);
            while let Ok(job) = queue.try_recv() {
                self.take(job);
            }
            self.flush();
        }
    }

    fn take(&mut self, job: Job) {
        match job {
            Job::Effect(effect) => self.carry_out(effect),
            Job::Sync(done) => {
                self.flush();
                // The caller may have stopped waiting.
                let _ = done.send(());
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        let done = match effect {
            Effect::LedgerAppended(entry) => self.folder.ledger.append(&*entry),
            Effect::PhonePut(phone) => self.folder.phones.append(&PhoneLine::Put(phone)),
            Effect::PhoneDeleted { tenant, address } => {
                self.folder.phones.append(&PhoneLine::Deleted { tenant, address })
            }
            Effect::ControlTaken { epoch, controller } => self.folder.save_control(epoch, controller),
            Effect::TrackDeleted { key } => self.folder.tracks.delete(&key),
            Effect::TrackOpened { key, about } => {
                let done = self.folder.tracks.begin(key.clone(), about);
                self.unless_broken(key, done)
            }
            Effect::TrackAppended { key, .. } if self.broken.contains(&key) => Ok(()),
            Effect::TrackAppended { key, samples } => {
                let done = self.folder.tracks.append(&key, &samples);
                self.unless_broken(key, done)
            }
            Effect::TrackClosed { key, ended_at_us } => self.close(key, ended_at_us),
        };
        if let Err(error) = done {
            tracing::error!(error = %chain(&error), "the switch cannot write to its data folder");
        }
    }

    fn close(&mut self, key: TrackKey, ended_at_us: i64) -> Result<(), StorageError> {
        let is_broken = self.broken.remove(&key);
        match key {
            // The failure was reported before, but the driver waits for an answer to each close.
            TrackKey::Recording(id) if is_broken => {
                let _ = self.written.send((id, Err("it could not be written".to_owned())));
                Ok(())
            }
            TrackKey::Recording(ref id) => {
                self.report(id.clone(), self.folder.tracks.complete(&key, ended_at_us));
                Ok(())
            }
            TrackKey::Heard(_) if is_broken => Ok(()),
            TrackKey::Heard(_) => self.folder.tracks.complete(&key, ended_at_us).map(|_| ()),
        }
    }

    fn unless_broken(&mut self, key: TrackKey, done: Result<(), StorageError>) -> Result<(), StorageError> {
        match (done, &key) {
            (Err(error), TrackKey::Recording(id)) => {
                self.report(id.clone(), Err(error));
                self.broken.insert(key);
                Ok(())
            }
            (Err(error), TrackKey::Heard(_)) => {
                self.broken.insert(key);
                Err(error)
            }
            (Ok(()), _) => Ok(()),
        }
    }

    fn report(&self, id: RecordingId, result: Result<WrittenTrack, StorageError>) {
        let result = result.map_err(|error| {
            let message = chain(&error);
            tracing::error!(recording.id = %id, error = message, "a recording could not be written");
            message
        });
        // An error means that the switch is being stopped.
        let _ = self.written.send((id, result));
    }

    fn flush(&mut self) {
        for file in [&mut self.folder.ledger, &mut self.folder.phones] {
            if let Err(error) = file.flush() {
                tracing::error!(error = %chain(&error), "the switch cannot write to its data folder");
            }
        }
    }
}

fn chain(error: &StorageError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
