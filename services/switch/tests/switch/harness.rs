//! An engine whose time the test advances. All its effects are kept.

use std::collections::{BTreeMap, BTreeSet};

use baton_audio::tones;
use baton_switch::engine::ids::{ExitId, LegId, PlaybackId, RecordingId, RoomId};
use baton_switch::engine::ledger::LedgerAction;
use baton_switch::engine::model::{PlayTarget, RoomTreatment};
use baton_switch::engine::phones::PlacedCall;
use baton_switch::engine::{
    AnswerBehaviour, DialRequest, Effect, Engine, EngineStart, LedgerEntry, Leftovers, PhoneRecord, PlaybackRequest,
    SwitchError, SwitchLimits, TrackKey, WrittenTrack,
};

pub(crate) const TENANT: &str = "demo";
pub(crate) const START_US: i64 = 1_700_000_000_000_000;
pub(crate) const CUSTOMER: u32 = 440;
pub(crate) const AGENT: u32 = 1_000;
pub(crate) const SECOND: u32 = 1_700;
pub(crate) const MUSIC: u32 = 600;
pub(crate) const RINGBACK: u32 = 350;
pub(crate) const DISCONNECTED: u32 = 2_600;
pub(crate) const GREETING: u32 = 2_000;
pub(crate) const BEEP: u32 = 3_100;
pub(crate) const PLEASE_WAIT: u32 = 3_300;
const ALL: [u32; 9] = [CUSTOMER, AGENT, SECOND, MUSIC, RINGBACK, DISCONNECTED, GREETING, BEEP, PLEASE_WAIT];

pub(crate) struct EngineHarness {
    pub(crate) engine: Engine,
    pub(crate) ledger: Vec<LedgerEntry>,
    pub(crate) deleted: Vec<TrackKey>,
    tracks: BTreeMap<TrackKey, Vec<i16>>,
}

impl EngineHarness {
    pub(crate) fn new() -> Self {
        Self::with(SwitchLimits::default(), Leftovers::default())
    }

    pub(crate) fn with(limits: SwitchLimits, left: Leftovers) -> Self {
        let start = EngineStart { boot_id: "boot".into(), now_us: START_US, limits, sound: true, left };
        let mut harness =
            Self { engine: Engine::new(start), ledger: Vec::new(), deleted: Vec::new(), tracks: BTreeMap::new() };
        harness.engine.take_control(1, "test").expect("control");
        harness.run(0);
        harness
    }

    /// Advances the engine.
    pub(crate) fn run(&mut self, ms: i64) {
        let to_us = self.engine.now_us() + ms * 1_000;
        while self.engine.advance(to_us, 7) == 7 {
            self.gather();
        }
        self.gather();
    }

    fn gather(&mut self) {
        let mut closed = Vec::new();
        for effect in self.engine.take_effects() {
            match effect {
                Effect::LedgerAppended(entry) => self.ledger.push((*entry).clone()),
                Effect::TrackOpened { key, .. } => {
                    assert!(self.tracks.insert(key, Vec::new()).is_none(), "a file was opened twice");
                }
                Effect::TrackAppended { key, samples } => {
                    self.tracks.get_mut(&key).expect("an open file").extend(samples);
                }
                Effect::TrackClosed { key: TrackKey::Recording(id), .. } => closed.push(id),
                Effect::TrackDeleted { key } => self.deleted.push(key),
                _ => {}
            }
        }
        for id in closed {
            let sample_count = self.tracks[&TrackKey::Recording(id.clone())].len() as i64;
            self.engine.recording_written(&id, Ok(WrittenTrack { sample_count, sha256: "00".to_owned() }));
            self.gather();
        }
    }

    pub(crate) fn phone(&mut self, address: &str, behaviour: AnswerBehaviour) -> u32 {
        let record = PhoneRecord { tenant: TENANT.to_owned(), address: address.to_owned(), tone_hz: 0, behaviour };
        self.engine.put_phone(record).expect("a phone").tone_hz
    }

    pub(crate) fn dial(&mut self, id: &str, address: &str, ring_timeout_ms: i64) -> Result<(), SwitchError> {
        let result = self.engine.dial(DialRequest {
            leg_id: leg(id),
            tenant: TENANT.to_owned(),
            address: address.to_owned(),
            caller_id: String::new(),
            ring_timeout_ms,
            variables: BTreeMap::new(),
        });
        self.run(0);
        result
    }

    /// A phone that answers at once; its tone.
    pub(crate) fn up(&mut self, id: &str) -> u32 {
        let hz = self.phone(id, AnswerBehaviour::AnswersAfter { delay_ms: 0 });
        self.dial(id, id, 1_000).expect("dial");
        self.run(0);
        hz
    }

    /// A customer whose call is answered at once.
    pub(crate) fn customer(&mut self, id: &str) {
        self.call(id);
        self.engine.answer(&leg(id)).expect("answer");
        self.run(0);
    }

    pub(crate) fn call(&mut self, id: &str) {
        let call = PlacedCall {
            tenant: TENANT.to_owned(),
            from: "+15550001".to_owned(),
            to: "+18005550100".to_owned(),
            tone_hz: 0,
        };
        self.engine.place_call(&call, leg(id)).expect("a call");
        self.run(0);
    }

    pub(crate) fn room(&mut self, id: &str, treatment: RoomTreatment, members: &[&str]) {
        self.engine.ensure_room(&room(id), TENANT, treatment).expect("a room");
        for member in members {
            self.engine.move_leg(&leg(member), &room(id)).expect("a move");
        }
        self.run(0);
    }

    pub(crate) fn play(&mut self, id: &str, target: PlayTarget, name: &str) -> Result<i64, SwitchError> {
        let play = PlaybackRequest { playback_id: playback(id), target, announcement: name.to_owned() };
        let result = self.engine.play(play);
        self.run(0);
        result
    }

    /// The sound that a phone heard on a leg so far.
    pub(crate) fn heard(&mut self, id: &str) -> Vec<i16> {
        self.engine.heard_on(TENANT, &leg(id)).expect("heard");
        self.gather();
        self.tracks[&TrackKey::Heard(leg(id))].clone()
    }

    /// The tones that a phone hears in the next 300 ms.
    pub(crate) fn hears(&mut self, id: &str) -> BTreeSet<u32> {
        self.next_300_ms(&[id]).remove(0)
    }

    /// The tones that each of the phones hears in the next 300 ms.
    pub(crate) fn next_300_ms(&mut self, ids: &[&str]) -> Vec<BTreeSet<u32>> {
        let from: Vec<usize> = ids.iter().map(|id| self.heard(id).len()).collect();
        self.run(320);
        ids.iter().zip(from).map(|(id, from)| tones::heard_tones(&self.heard(id)[from..], &ALL)).collect()
    }

    pub(crate) fn recorded(&self, id: &str) -> &[i16] {
        &self.tracks[&TrackKey::Recording(recording(id))]
    }

    pub(crate) fn actions(&self) -> impl Iterator<Item = &LedgerAction> {
        self.ledger.iter().map(|entry| &entry.action)
    }

    /// When this first happened, in ms since the start.
    pub(crate) fn when(&self, wanted: &LedgerAction) -> Option<i64> {
        let entry = self.ledger.iter().find(|entry| entry.action == *wanted)?;
        Some((entry.occurred_at_us - START_US) / 1_000)
    }
}

pub(crate) fn tones_in(samples: &[i16]) -> BTreeSet<u32> {
    tones::heard_tones(samples, &ALL)
}

pub(crate) fn timeline(samples: &[i16]) -> Vec<(usize, usize, BTreeSet<u32>)> {
    stretches(samples, &ALL, tones::WINDOW_MS)
}

/// Frame by frame. Windows as short as that can't tell neighbours apart, so the tones have to be far from each other.
pub(crate) fn fine_timeline(samples: &[i16], hz: &[u32]) -> Vec<(usize, usize, BTreeSet<u32>)> {
    stretches(samples, hz, 20)
}

fn stretches(samples: &[i16], hz: &[u32], window_ms: usize) -> Vec<(usize, usize, BTreeSet<u32>)> {
    let stretches = tones::timeline(samples, hz, window_ms).into_iter();
    stretches.map(|stretch| (stretch.start_ms, stretch.end_ms, stretch.hz)).collect()
}

pub(crate) fn set(hz: &[u32]) -> BTreeSet<u32> {
    hz.iter().copied().collect()
}

pub(crate) fn leg(id: &str) -> LegId {
    LegId::parse(id).expect("a leg id")
}

pub(crate) fn room(id: &str) -> RoomId {
    RoomId::parse(id).expect("a room id")
}

pub(crate) fn playback(id: &str) -> PlaybackId {
    PlaybackId::parse(id).expect("a playback id")
}

pub(crate) fn recording(id: &str) -> RecordingId {
    RecordingId::parse(id).expect("a recording id")
}

pub(crate) fn exit(id: &str) -> ExitId {
    ExitId::parse(id).expect("an exit id")
}
