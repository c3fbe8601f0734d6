//! The switch without any input or output: legs, rooms, what each phone hears, and the deadlines.
//!
//! Time is an argument. [`Engine::advance`] brings the switch to a time: it mixes every frame of 20 ms that has gone by, sample by
//! sample, and handles deadlines between two frames (a phone answers, a ring time is over) at their exact times. Frame `k` is
//! the time from `k * 20 ms` to `(k + 1) * 20 ms` since the Unix epoch and is mixed as the state is at its end, so a leg that moves
//! is in one room in this frame and in the other in the next: there is no frame in which it is in both or in neither.
//! Nothing here depends on how often `advance` is called: simulated time may jump an hour and yields the same samples.
//!
//! The engine asks for I/O by [`Effect`]s, which [`Engine::take_effects`] gives in order.

mod control;
mod dial;
pub mod effect;
pub mod error;
mod exits;
pub mod flows;
mod heard;
pub mod ids;
pub mod ledger;
mod legs;
mod mix;
pub mod model;
pub mod phones;
mod playbacks;
mod recordings;
mod rooms;
mod start;
mod timers;
pub mod tones;
mod track;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use dial::DialRequest;
pub use effect::{Effect, TrackAbout, TrackKey};
pub use error::SwitchError;
pub use heard::HeardRecord;
pub use ledger::{LedgerAction, LedgerEntry, PlaybackLocation};
pub use legs::SwitchLeg;
pub use model::{AnswerBehaviour, PhoneRecord};
pub use phones::Selector;
pub use playbacks::PlaybackRequest;
pub use recordings::{RecordingView, WrittenTrack};
pub use start::{EngineStart, Leftovers, SwitchLimits};

use control::ControlEpoch;
use exits::UsedExits;
use flows::FlowRun;
use heard::HeardRecords;
use ids::{ExitId, LatestById, LegId, PlaybackId, RoomId, UsedIds};
use model::{ActivePlayback, EndCause, EndedLeg, Side, SwitchRoom, VoicemailExit};
use phones::PhoneBook;
use recordings::Recordings;
use timers::{Due, Timers};
use tones::{FRAME_US, ToneBank};

#[derive(Debug)]
pub struct Engine {
    boot_id: Arc<str>,
    now_us: i64,
    limits: SwitchLimits,
    sound: bool,
    control: ControlEpoch,
    legs: BTreeMap<LegId, SwitchLeg>,
    rooms: BTreeMap<RoomId, SwitchRoom>,
    playbacks: BTreeMap<PlaybackId, ActivePlayback>,
    recordings: Recordings,
    exits: BTreeMap<ExitId, VoicemailExit>,
    flows: BTreeMap<ExitId, FlowRun>,
    used_legs: UsedIds<LegId>,
    ended_legs: LatestById<LegId, EndedLeg>,
    used_playbacks: UsedIds<PlaybackId>,
    used_exits: UsedExits,
    phones: PhoneBook,
    heard: HeardRecords,
    timers: Timers,
    tones: ToneBank,
    ledger_sequence: i64,
    event_sequence: i64,
    mixed_until_us: i64,
    effects: Vec<Effect>,
}

impl Engine {
    /// A switch with no calls.
    pub fn new(start: EngineStart) -> Self {
        let EngineStart { boot_id, now_us, limits, sound, left } = start;
        let mut engine = Self {
            boot_id,
            now_us,
            sound,
            control: ControlEpoch::new(left.epoch, left.controller),
            legs: BTreeMap::new(),
            rooms: BTreeMap::new(),
            playbacks: BTreeMap::new(),
            recordings: Recordings::new(limits.used_ids, left.finished),
            exits: BTreeMap::new(),
            flows: BTreeMap::new(),
            used_legs: UsedIds::new(limits.used_ids),
            ended_legs: LatestById::new(limits.used_ids),
            used_playbacks: UsedIds::new(limits.used_ids),
            used_exits: UsedExits::new(limits.used_ids),
            phones: PhoneBook::new(left.phones),
            heard: HeardRecords::new(left.heard),
            timers: Timers::default(),
            tones: ToneBank::default(),
            ledger_sequence: left.ledger.last().map_or(0, |entry| entry.sequence),
            event_sequence: 0,
            mixed_until_us: now_us,
            effects: Vec::new(),
            limits,
        };
        for entry in &left.ledger {
            engine.note_used(&entry.action);
        }
        engine.emit("", LedgerAction::Booted);
        engine
    }

    /// The id of this run.
    pub fn boot_id(&self) -> &str {
        &self.boot_id
    }

    /// The time that the engine was advanced to.
    pub fn now_us(&self) -> i64 {
        self.now_us
    }

    /// The number of the last event.
    pub fn event_sequence(&self) -> i64 {
        self.event_sequence
    }

    /// The number of the last ledger entry.
    pub fn ledger_sequence(&self) -> i64 {
        self.ledger_sequence
    }

    pub fn legs(&self) -> &BTreeMap<LegId, SwitchLeg> {
        &self.legs
    }

    pub fn rooms(&self) -> &BTreeMap<RoomId, SwitchRoom> {
        &self.rooms
    }

    pub fn playbacks(&self) -> &BTreeMap<PlaybackId, ActivePlayback> {
        &self.playbacks
    }

    /// The effects since the last call.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Whether frames have to be mixed.
    pub fn has_sound(&self) -> bool {
        self.sound && (!self.legs.is_empty() || self.recordings.any_live())
    }

    pub fn next_deadline_us(&self) -> Option<i64> {
        self.timers.next_us()
    }

    /// The end of the current frame.
    pub fn frame_end_us(&self) -> i64 {
        (self.frame() + 1) * FRAME_US
    }

    /// The end of the last frame that was mixed.
    pub fn mixed_until_us(&self) -> i64 {
        self.mixed_until_us
    }

    /// Advances the engine towards `to_us` by `most_frames` at most, and returns how many frames it mixed. If it mixed that many, it may
    /// not have reached `to_us`: the caller takes the effects and calls again.
    pub fn advance(&mut self, to_us: i64, most_frames: usize) -> usize {
        let mut mixed = 0;
        while mixed < most_frames {
            let frame_end = if self.has_sound() { self.frame_end_us() } else { i64::MAX };
            let deadline = self.timers.next_us().unwrap_or(i64::MAX);
            if frame_end.min(deadline) > to_us {
                self.now_us = self.now_us.max(to_us);
                break;
            }
            if frame_end <= deadline {
                self.mix_frame();
                self.now_us = frame_end;
                self.mixed_until_us = frame_end;
                mixed += 1;
            } else {
                self.now_us = self.now_us.max(deadline);
                if let Some(due) = self.timers.pop(deadline) {
                    self.fire(due);
                }
            }
        }
        mixed
    }

    /// Ends all calls and recordings, in an orderly stop.
    pub fn shut_down(&mut self) {
        for id in self.legs.keys().cloned().collect::<Vec<_>>() {
            self.end_leg(&id, EndCause::SwitchShutdown, Side::Switch);
        }
        self.finish_all_recordings();
    }

    /// The number of the current frame.
    fn frame(&self) -> i64 {
        self.now_us.div_euclid(FRAME_US)
    }

    /// The time of the first sample of a sound that begins now.
    fn frame_start_us(&self) -> i64 {
        self.frame() * FRAME_US
    }

    fn fire(&mut self, due: Due) {
        match due {
            Due::PhoneAnswers(leg) => self.answer_leg(&leg),
            Due::PhoneDeclines(leg) => self.end_leg(&leg, EndCause::Declined, Side::Phone),
            Due::RingTimeout(leg) => self.end_leg(&leg, EndCause::NoAnswer, Side::Switch),
            Due::PlaybackOver(playback) => self.playback_over(&playback),
            Due::MailboxListens(exit) => self.mailbox_listens(&exit),
            Due::MailboxFull(exit) => self.mailbox_full(&exit),
            Due::FlowGoesOn(exit) => self.flow_due(&exit),
            Due::RecordingLimit(recording) => self.finish_recording(&recording),
        }
    }

    fn emit(&mut self, tenant: &str, action: LedgerAction) {
        if let LedgerAction::LegEnded { leg_id, cause, .. } = &action {
            self.ended_legs.put(leg_id.clone(), EndedLeg { cause: *cause, at_us: self.now_us });
        }
        self.ledger_sequence += 1;
        let event_sequence = if action.is_event() {
            self.event_sequence += 1;
            self.event_sequence
        } else {
            0
        };
        self.effects.push(Effect::LedgerAppended(Arc::new(LedgerEntry {
            sequence: self.ledger_sequence,
            event_sequence,
            boot_id: self.boot_id.clone(),
            occurred_at_us: self.now_us,
            tenant: tenant.to_owned(),
            action,
        })));
    }

    /// Marks the ids of earlier runs as used: a client that lost an answer to a crash of the switch must not ring a phone twice.
    fn note_used(&mut self, action: &LedgerAction) {
        match action {
            LedgerAction::LegDialed { leg_id, .. } => {
                self.used_legs.insert(leg_id.clone());
            }
            LedgerAction::PlaybackStarted { playback_id, .. } | LedgerAction::PlaybackFailed { playback_id, .. } => {
                self.used_playbacks.insert(playback_id.clone());
            }
            LedgerAction::RecordingStarted { recording_id, .. } => self.recordings.note_used(recording_id.clone()),
            LedgerAction::ExitStarted { exit_id, .. } => self.used_exits.note(exit_id.clone()),
            _ => {}
        }
    }
}
