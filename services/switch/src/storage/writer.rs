//! The writer: one thread that does what the engine wants done with files, in order, off the path of the sound.
//!
//! What it is given waits in a bounded queue; when that is full the switch waits (and its frames are late, which is counted):
//! nothing is left out of a recording. A recording that can't be written is reported once, and is over.

use std::collections::HashSet;

use tokio::sync::{mpsc, oneshot};

use crate::engine::ids::RecordingId;
use crate::engine::{Effect, TrackKey, Written};

use super::error::StorageError;
use super::{DataFolder, PhoneLine};

/// Some seconds of 100 recorded calls.
const QUEUE: usize = 4_096;

/// What became of the file of a recording.
pub(crate) type RecordingWritten = (RecordingId, Result<Written, String>);

/// Something for the writer to do.
#[derive(Debug)]
pub(crate) enum Job {
    /// What the engine wants done.
    Effect(Effect),
    /// Tell when all that came before is done.
    Sync(oneshot::Sender<()>),
}

/// The writer.
#[derive(Debug)]
pub(crate) struct Writer {
    folder: DataFolder,
    /// Unbounded, as the switch must never be waited for by whom it waits for; it holds one message for each live recording.
    written: mpsc::UnboundedSender<RecordingWritten>,
    broken: HashSet<TrackKey>,
}

impl Writer {
    /// Starts the thread; it ends when the sender of jobs is dropped.
    pub(crate) fn start(
        folder: DataFolder,
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
                // Whoever asked may have gone.
                let _ = done.send(());
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        let done = match effect {
            Effect::Happened(happening) => self.folder.ledger.append(&*happening),
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
            // Reported before; whoever closes a recording waits for one answer more.
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

    fn report(&self, id: RecordingId, result: Result<Written, StorageError>) {
        let result = result.map_err(|error| {
            let message = chain(&error);
            tracing::error!(recording.id = %id, error = message, "a recording could not be written");
            message
        });
        // The switch is being stopped when nobody listens.
        let _ = self.written.send((id, result));
    }

    fn flush(&mut self) {
        for journal in [&mut self.folder.ledger, &mut self.folder.phones] {
            if let Err(error) = journal.flush() {
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
