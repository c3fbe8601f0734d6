//! Mixing: what each leg hears, and what is recorded, in one frame.
//!
//! The rule for a conversation is the usual one, "all less yourself": a room's voices are added up once, and each member hears the
//! sum without its own. Sums are wide and are cut off (saturated) only where they leave. 200 legs cost some 100 µs a frame.

use std::collections::BTreeMap;

use super::ids::LegId;
use super::legs::SwitchLeg;
use super::model::{AudioSource, Playing, RoomTreatment, SwitchRoom};
use super::tones::{FRAME_SAMPLES, ToneBank};
use super::{Effect, Engine};

/// The sums of one frame, wider than samples.
#[derive(Clone)]
struct MixBus([i32; FRAME_SAMPLES]);

impl MixBus {
    const SILENT: Self = Self([0; FRAME_SAMPLES]);

    fn add(&mut self, sound: &[i16]) {
        for (sum, sample) in self.0.iter_mut().zip(sound) {
            *sum += i32::from(*sample);
        }
    }

    fn subtract(&mut self, sound: &[i16]) {
        for (sum, sample) in self.0.iter_mut().zip(sound) {
            *sum -= i32::from(*sample);
        }
    }

    fn add_all(&mut self, playing: &[Playing], frame: i64) {
        for playing in playing {
            self.add(playing.tone.frame(frame));
        }
    }

    fn saturated(&self) -> [i16; FRAME_SAMPLES] {
        self.0.map(|sum| sum.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16)
    }
}

impl Engine {
    /// Mixes the current frame from the current state.
    pub(crate) fn mix_frame(&mut self) {
        let frame = self.frame();
        self.mix_rooms(frame);
        self.mix_legs_in_no_room(frame);
        self.record_voices(frame);
    }

    fn mix_rooms(&mut self, frame: i64) {
        for room in self.rooms.values() {
            if room.members.is_empty() && room.recordings.is_empty() {
                continue;
            }
            let bus = room_bus(room, &self.legs, &self.tones, frame);
            for id in &room.recordings {
                if let Some(recording) = self.recordings.live.get_mut(id) {
                    recording.track.push(&bus.saturated(), &mut self.effects);
                }
            }
            let is_conversation = room.treatment == RoomTreatment::Conversation;
            for member in &room.members {
                let Some(leg) = self.legs.get_mut(member) else { continue };
                let mut heard = bus.clone();
                if let Some(own) = leg.speech(frame).filter(|_| is_conversation) {
                    heard.subtract(own);
                }
                hear(leg, heard, frame, &mut self.effects);
            }
        }
    }

    fn mix_legs_in_no_room(&mut self, frame: i64) {
        for leg in self.legs.values_mut().filter(|leg| leg.room.is_none()) {
            let mut heard = MixBus::SILENT;
            let exit = leg.exit.as_ref().and_then(|exit| self.exits.get(exit));
            let flow = leg.exit.as_ref().and_then(|exit| self.flows.get(exit));
            let says = exit.and_then(|exit| exit.says(frame)).or_else(|| flow.and_then(|flow| flow.says(frame)));
            if let Some(says) = says {
                heard.add(self.tones.tone(says.hz).frame(frame));
            }
            hear(leg, heard, frame, &mut self.effects);
        }
    }

    fn record_voices(&mut self, frame: i64) {
        for recording in self.recordings.live.values_mut() {
            if let AudioSource::Voice(leg) = &recording.source {
                let mut bus = MixBus::SILENT;
                if let Some(voice) = self.legs.get(leg).and_then(|leg| leg.voice(frame)) {
                    bus.add(voice);
                }
                recording.track.push(&bus.saturated(), &mut self.effects);
            }
        }
    }
}

/// The sum of all sounds in a room.
fn room_bus(room: &SwitchRoom, legs: &BTreeMap<LegId, SwitchLeg>, tones: &ToneBank, frame: i64) -> MixBus {
    let mut bus = MixBus::SILENT;
    match room.treatment {
        RoomTreatment::Conversation => {
            for speech in room.members.iter().filter_map(|id| legs.get(id)?.speech(frame)) {
                bus.add(speech);
            }
        }
        RoomTreatment::HoldMusic => bus.add(tones.music.frame(frame)),
        RoomTreatment::Ringback => {
            if let Some(ringing) = tones.ringback_frame(frame) {
                bus.add(ringing);
            }
        }
        RoomTreatment::Silence => {}
    }
    bus.add_all(&room.playing, frame);
    bus
}

fn hear(leg: &mut SwitchLeg, mut bus: MixBus, frame: i64, effects: &mut Vec<Effect>) {
    bus.add_all(&leg.playing, frame);
    if let Some(track) = &mut leg.heard {
        track.push(&bus.saturated(), effects);
    }
}
