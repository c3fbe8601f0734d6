//! The switch without any input or output: who is where, what each phone hears, what is due when.
//!
//! Time is an argument. [`Engine::advance`] brings the switch to a time: it mixes every frame of 20 ms that has gone by, sample by
//! sample, and lets whatever falls between two frames (a phone answers, a ring time is over) happen at its exact time. Frame `k` is
//! the time from `k * 20 ms` to `(k + 1) * 20 ms` since the Unix epoch and is mixed as things stand at its end, so a leg that moves
//! is in one room in this frame and in the other in the next: there is no frame in which it is in both or in neither.
//! Nothing here depends on how often `advance` is called: simulated time may jump an hour and yields the same samples.
//!
//! What has to be done outside comes out as [`Effect`]s, in order, by [`Engine::take_effects`].

mod control;
mod dial;
pub mod effect;
pub mod error;
mod exits;
pub mod happening;
mod heard;
pub mod ids;
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

pub use dial::Dial;
pub use effect::{Effect, TrackAbout, TrackKey};
pub use error::SwitchError;
pub use happening::{Happening, Place, What};
pub use heard::HeardRecord;
pub use legs::Leg;
pub use model::{Behaviour, PhoneRecord};
pub use phones::Selector;
pub use playbacks::Play;
pub use recordings::{RecordingView, Written};
pub use start::{Leftovers, Limits, Start};

use control::Control;
use exits::ExitsSeen;
use heard::HeardShelf;
use ids::{ExitId, LegId, PlaybackId, RoomId, UsedIds};
use model::{EndCause, Exit, Playback, Room, Side};
use phones::PhoneBook;
use recordings::Recordings;
use timers::{Due, Timers};
use tones::{FRAME_US, ToneBank};

/// The switch.
#[derive(Debug)]
pub struct Engine {
    boot_id: Arc<str>,
    now_us: i64,
    limits: Limits,
    sound: bool,
    control: Control,
    legs: BTreeMap<LegId, Leg>,
    rooms: BTreeMap<RoomId, Room>,
    playbacks: BTreeMap<PlaybackId, Playback>,
    recordings: Recordings,
    exits: BTreeMap<ExitId, Exit>,
    used_legs: UsedIds<LegId>,
    used_playbacks: UsedIds<PlaybackId>,
    exits_seen: ExitsSeen,
    phones: PhoneBook,
    heard: HeardShelf,
    timers: Timers,
    tones: ToneBank,
    ledger_sequence: i64,
    event_sequence: i64,
    mixed_until_us: i64,
    effects: Vec<Effect>,
}

impl Engine {
    /// A switch with no calls.
    pub fn new(start: Start) -> Self {
        let Start { boot_id, now_us, limits, sound, left } = start;
        let mut engine = Self {
            boot_id,
            now_us,
            sound,
            control: Control::new(left.epoch, left.controller),
            legs: BTreeMap::new(),
            rooms: BTreeMap::new(),
            playbacks: BTreeMap::new(),
            recordings: Recordings::new(limits.used_ids, left.finished),
            exits: BTreeMap::new(),
            used_legs: UsedIds::new(limits.used_ids),
            used_playbacks: UsedIds::new(limits.used_ids),
            exits_seen: ExitsSeen::new(limits.used_ids),
            phones: PhoneBook::new(left.phones),
            heard: HeardShelf::new(left.heard),
            timers: Timers::default(),
            tones: ToneBank::default(),
            ledger_sequence: left.ledger.last().map_or(0, |line| line.sequence),
            event_sequence: 0,
            mixed_until_us: now_us,
            effects: Vec::new(),
            limits,
        };
        for line in &left.ledger {
            engine.note_used(&line.what);
        }
        engine.emit("", What::Booted);
        engine
    }

    /// This run.
    pub fn boot_id(&self) -> &str {
        &self.boot_id
    }

    /// The time that the switch has been brought to.
    pub fn now_us(&self) -> i64 {
        self.now_us
    }

    /// The last event.
    pub fn event_sequence(&self) -> i64 {
        self.event_sequence
    }

    /// The last line of the ledger.
    pub fn ledger_sequence(&self) -> i64 {
        self.ledger_sequence
    }

    /// The live legs.
    pub fn legs(&self) -> &BTreeMap<LegId, Leg> {
        &self.legs
    }

    /// The rooms.
    pub fn rooms(&self) -> &BTreeMap<RoomId, Room> {
        &self.rooms
    }

    /// The announcements that are being played.
    pub fn playbacks(&self) -> &BTreeMap<PlaybackId, Playback> {
        &self.playbacks
    }

    /// What has to be done outside since this was last called.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Whether frames have to be mixed.
    pub fn has_sound(&self) -> bool {
        self.sound && (!self.legs.is_empty() || self.recordings.any_live())
    }

    /// When something happens by itself.
    pub fn next_deadline_us(&self) -> Option<i64> {
        self.timers.next_us()
    }

    /// When the frame that is going on ends.
    pub fn frame_end_us(&self) -> i64 {
        (self.frame() + 1) * FRAME_US
    }

    /// The end of the last frame that was mixed.
    pub fn mixed_until_us(&self) -> i64 {
        self.mixed_until_us
    }

    /// Brings the switch towards `to_us`, mixing `most_frames` at most, and says how many it mixed: as many as that means that it
    /// may not have arrived, and that the effects should be taken away before it goes on.
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

    /// The number of the frame that is going on.
    fn frame(&self) -> i64 {
        self.now_us.div_euclid(FRAME_US)
    }

    /// The time of the first sample of whatever begins now.
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
            Due::RecordingLimit(recording) => self.finish_recording(&recording),
        }
    }

    fn emit(&mut self, tenant: &str, what: What) {
        self.ledger_sequence += 1;
        let event_sequence = if what.is_event() {
            self.event_sequence += 1;
            self.event_sequence
        } else {
            0
        };
        self.effects.push(Effect::Happened(Arc::new(Happening {
            sequence: self.ledger_sequence,
            event_sequence,
            boot_id: self.boot_id.clone(),
            occurred_at_us: self.now_us,
            tenant: tenant.to_owned(),
            what,
        })));
    }

    /// Ids of earlier runs are used: a client that lost an answer to a crash of the switch must not ring a phone twice either.
    fn note_used(&mut self, what: &What) {
        match what {
            What::LegDialed { leg_id, .. } => {
                self.used_legs.insert(leg_id.clone());
            }
            What::PlaybackStarted { playback_id, .. } | What::PlaybackFailed { playback_id, .. } => {
                self.used_playbacks.insert(playback_id.clone());
            }
            What::RecordingStarted { recording_id, .. } => self.recordings.note_used(recording_id.clone()),
            What::ExitStarted { exit_id, .. } => self.exits_seen.note(exit_id.clone()),
            _ => {}
        }
    }
}
