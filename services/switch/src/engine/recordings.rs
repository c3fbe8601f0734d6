//! Recordings: the sound of a room, or a voice in a mailbox.
//!
//! A recording is live, then closing (no more samples, the file is being completed outside), then finished. Only finished ones can
//! be fetched; in a snapshot a closing one still counts as live.

use std::collections::{BTreeMap, VecDeque};

use super::effect::{TrackAbout, TrackKey};
use super::error::SwitchError;
use super::ids::{RecordingId, RoomId, UsedIds};
use super::ledger::LedgerAction;
use super::model::{AudioSource, FinishedRecording};
use super::timers::{Due, TimerKey};
use super::track::{Track, TrackLimits};
use super::{Effect, Engine};

/// 200 ms: what may be lost of a recording when the switch is killed.
const FRAMES_IN_A_CHUNK: usize = 10;

#[derive(Debug)]
pub(crate) struct Recordings {
    pub(crate) live: BTreeMap<RecordingId, LiveRecording>,
    closing: BTreeMap<RecordingId, RecordingView>,
    finished: BTreeMap<RecordingId, FinishedRecording>,
    /// Voicemail messages among the finished ones, in the order of their ends.
    messages: VecDeque<RecordingId>,
    used: UsedIds<RecordingId>,
}

#[derive(Debug)]
pub(crate) struct LiveRecording {
    pub(crate) tenant: String,
    pub(crate) source: AudioSource,
    pub(crate) track: Track,
    pub(crate) timer: TimerKey,
}

impl LiveRecording {
    /// The room that is recorded; none for a voicemail.
    pub(crate) fn room(&self) -> Option<&RoomId> {
        match &self.source {
            AudioSource::Room(room) => Some(room),
            AudioSource::Voice(_) => None,
        }
    }
}

/// A live or closing recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingView {
    pub recording_id: RecordingId,
    pub tenant: String,
    /// None for a voicemail.
    pub room_id: Option<RoomId>,
    /// The time of its first sample.
    pub started_at_us: i64,
    /// The time after its last sample; none while it is live.
    pub ended_at_us: Option<i64>,
}

/// The result of completing a file of sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenTrack {
    pub sample_count: i64,
    /// Of the file, hexadecimal; empty if the track is not a recording.
    pub sha256: String,
}

impl Recordings {
    pub(crate) fn new(used_ids: usize, mut finished: Vec<FinishedRecording>) -> Self {
        finished.sort_by_key(|recording| recording.ended_at_us);
        let messages = finished.iter().filter(|it| it.room_id.is_none()).map(|it| it.recording_id.clone());
        let messages = messages.collect();
        let mut used = UsedIds::new(used_ids);
        for recording in &finished {
            used.insert(recording.recording_id.clone());
        }
        Self {
            live: BTreeMap::new(),
            closing: BTreeMap::new(),
            messages,
            finished: finished.into_iter().map(|it| (it.recording_id.clone(), it)).collect(),
            used,
        }
    }

    pub(crate) fn any_live(&self) -> bool {
        !self.live.is_empty()
    }

    pub(crate) fn note_used(&mut self, id: RecordingId) {
        self.used.insert(id);
    }

    /// Removes the message that ended first, if that is too long ago or there are too many.
    fn pop_outdated_message(&mut self, older_than_us: i64, most: usize) -> Option<RecordingId> {
        let first = self.messages.front()?;
        let is_young = self.finished.get(first).is_some_and(|it| it.ended_at_us >= older_than_us);
        if is_young && self.messages.len() <= most { None } else { self.messages.pop_front() }
    }
}

impl Engine {
    /// Records a room, once for each id, and returns the time of the first sample.
    pub fn start_recording(&mut self, id: &RecordingId, room_id: &RoomId, tenant: &str) -> Result<i64, SwitchError> {
        if self.recordings.used.contains(id) {
            return Err(id.used());
        }
        let room = self.rooms.get_mut(room_id).filter(|room| room.tenant == tenant);
        let room = room.ok_or_else(|| room_id.not_found())?;
        if !room.recordings.is_empty() {
            return Err(room_id.wrong_state("is being recorded already"));
        }
        room.recordings.push(id.clone());
        Ok(self.begin_recording(id.clone(), tenant, AudioSource::Room(room_id.clone())))
    }

    /// Ends a recording and returns the time after its last sample.
    pub fn stop_recording(&mut self, id: &RecordingId) -> Result<i64, SwitchError> {
        self.finish_recording(id);
        let ended_at_us = self.recordings.closing.get(id).and_then(|view| view.ended_at_us);
        ended_at_us.ok_or_else(|| id.not_found())
    }

    /// The storage has completed the file of a recording, or failed to.
    pub fn recording_written(&mut self, id: &RecordingId, result: Result<WrittenTrack, String>) {
        self.finish_recording(id);
        let Some(view) = self.recordings.closing.remove(id) else { return };
        let tenant = view.tenant.clone();
        let action = match result {
            Ok(written) => {
                let recording = finished(view, written);
                if recording.room_id.is_none() {
                    self.recordings.messages.push_back(id.clone());
                }
                self.recordings.finished.insert(id.clone(), recording.clone());
                LedgerAction::RecordingFinished { recording }
            }
            Err(message) => LedgerAction::RecordingFailed { recording_id: id.clone(), room_id: view.room_id, message },
        };
        self.emit(&tenant, action);
    }

    pub fn finished_recording(&self, id: &RecordingId) -> Result<&FinishedRecording, SwitchError> {
        let is_live = self.recordings.live.contains_key(id) || self.recordings.closing.contains_key(id);
        match self.recordings.finished.get(id) {
            Some(recording) => Ok(recording),
            None if is_live => Err(id.wrong_state("is not finished")),
            None => Err(id.not_found()),
        }
    }

    pub fn delete_recording(&mut self, id: &RecordingId) -> Result<(), SwitchError> {
        self.finished_recording(id)?;
        if let Some(recording) = self.recordings.finished.remove(id) {
            self.effects.push(Effect::TrackDeleted { key: TrackKey::Recording(id.clone()) });
            self.emit(&recording.tenant, LedgerAction::RecordingDeleted { recording_id: id.clone() });
        }
        Ok(())
    }

    /// The live and closing recordings.
    pub fn live_recordings(&self) -> Vec<RecordingView> {
        let live = self.recordings.live.iter().map(|(id, recording)| view(id, recording, None));
        live.chain(self.recordings.closing.values().cloned()).collect()
    }

    /// The finished recordings of rooms, without voicemail messages: the controller collects each by its name.
    pub fn finished_recordings(&self) -> impl Iterator<Item = &FinishedRecording> {
        self.recordings.finished.values().filter(|it| it.room_id.is_some())
    }

    /// Deletes messages that were kept for long enough, and the oldest of too many.
    pub(crate) fn forget_messages(&mut self) {
        let older_than_us = self.now_us - self.limits.message_keep_us;
        while let Some(id) = self.recordings.pop_outdated_message(older_than_us, self.limits.messages) {
            // It may have been deleted by a command.
            let _ = self.delete_recording(&id);
        }
    }

    pub(crate) fn begin_recording(&mut self, id: RecordingId, tenant: &str, source: AudioSource) -> i64 {
        self.recordings.used.insert(id.clone());
        let started_at_us = self.frame_start_us();
        let room_id = match &source {
            AudioSource::Room(room) => Some(room.clone()),
            AudioSource::Voice(_) => None,
        };
        let of = room_id.as_ref().map(ToString::to_string).unwrap_or_default();
        let about = TrackAbout { tenant: tenant.to_owned(), of, started_at_us };
        let limits = TrackLimits { frames: FRAMES_IN_A_CHUNK, longest: i64::MAX };
        let track = Track::open(TrackKey::Recording(id.clone()), about, limits, &mut self.effects);
        let limit_us = self.now_us + self.limits.recording_us;
        let timer = self.timers.set(limit_us, Due::RecordingLimit(id.clone()));
        let recording = LiveRecording { tenant: tenant.to_owned(), source, track, timer };
        self.recordings.live.insert(id.clone(), recording);
        self.emit(tenant, LedgerAction::RecordingStarted { recording_id: id, room_id, started_at_us });
        started_at_us
    }

    /// Ends the samples of a recording; the storage completes the file.
    pub(crate) fn finish_recording(&mut self, id: &RecordingId) {
        let Some(recording) = self.recordings.live.remove(id) else { return };
        self.timers.cancel([recording.timer]);
        if let Some(room) = recording.room().and_then(|room| self.rooms.get_mut(room)) {
            room.recordings.retain(|other| other != id);
        }
        let ended_at_us = if self.sound { recording.track.end_us() } else { self.frame_start_us() };
        let view = view(id, &recording, Some(ended_at_us));
        self.recordings.closing.insert(id.clone(), view);
        recording.track.close(ended_at_us, &mut self.effects);
    }

    pub(crate) fn finish_all_recordings(&mut self) {
        for id in self.recordings.live.keys().cloned().collect::<Vec<_>>() {
            self.finish_recording(&id);
        }
    }
}

fn view(id: &RecordingId, recording: &LiveRecording, ended_at_us: Option<i64>) -> RecordingView {
    RecordingView {
        recording_id: id.clone(),
        tenant: recording.tenant.clone(),
        room_id: recording.room().cloned(),
        started_at_us: recording.track.started_at_us(),
        ended_at_us,
    }
}

fn finished(view: RecordingView, written: WrittenTrack) -> FinishedRecording {
    FinishedRecording {
        ended_at_us: view.ended_at_us.unwrap_or(view.started_at_us),
        recording_id: view.recording_id,
        tenant: view.tenant,
        room_id: view.room_id,
        started_at_us: view.started_at_us,
        sample_count: written.sample_count,
        sha256: written.sha256,
        torn: false,
    }
}
