//! The sounds of the switch: every source is a pure tone of its own, so that a listener can tell them apart.
//!
//! Sound has 8,000 samples a second, and every tone has a whole number of periods in a second. So one second of it is computed
//! once, and what it sounds like at any time is a slice of that second, chosen by the number of the frame: nothing has a phase of
//! its own that could jump when a leg moves, and mixing a frame allocates nothing.

use std::collections::HashMap;
use std::f64::consts::TAU;
use std::sync::Arc;

/// Samples in a second.
pub const SAMPLE_RATE: usize = 8_000;
/// Samples in a frame of 20 ms.
pub const FRAME_SAMPLES: usize = 160;
/// The length of a frame.
pub const FRAME_US: i64 = 20_000;
/// The length of a sample.
pub const SAMPLE_US: i64 = 125;

/// The tone of a customer's phone, if the call does not say another.
pub const CUSTOMER_HZ: u32 = 440;
pub const MUSIC_HZ: u32 = 600;
/// Ringback, with a cadence. A real one (425 Hz) can't be distinguished from a customer within 100 ms.
pub const RINGBACK_HZ: u32 = 350;
/// Tones that a phone may have.
pub const PHONE_HZ: std::ops::RangeInclusive<u32> = 300..=3_900;

/// Peak of -12 dBFS: two speakers and an announcement at once still don't clip.
const AMPLITUDE: f64 = 8_231.0;
const FRAMES_IN_A_SECOND: i64 = (SAMPLE_RATE / FRAME_SAMPLES) as i64;
/// 0.4 s on, 0.2 s off: a real cadence (1 s, 4 s) would need long tests.
const RINGBACK_FRAMES: i64 = 30;
const RINGBACK_ON_FRAMES: i64 = 20;
/// No phone gets a default tone nearer than this to a sound of the switch.
const APART_HZ: u32 = 45;
const FIRST_PHONES_HZ: [u32; 3] = [1_000, 1_700, 2_300];

/// One second of a tone.
#[derive(Debug, Clone)]
pub struct Tone(Arc<[i16]>);

impl Tone {
    /// The samples in the frame with this number.
    pub fn frame(&self, frame: i64) -> &[i16] {
        let at = frame.rem_euclid(FRAMES_IN_A_SECOND) as usize * FRAME_SAMPLES;
        &self.0[at..at + FRAME_SAMPLES]
    }
}

/// Computes each tone once.
#[derive(Debug)]
pub struct ToneBank {
    tones: HashMap<u32, Tone>,
    pub music: Tone,
    pub ringback: Tone,
}

impl Default for ToneBank {
    fn default() -> Self {
        Self { tones: HashMap::new(), music: sine(MUSIC_HZ), ringback: sine(RINGBACK_HZ) }
    }
}

impl ToneBank {
    /// The tone of `hz`, kept for the next that asks (there are at most 3,601 of 16 kB).
    pub fn tone(&mut self, hz: u32) -> Tone {
        self.tones.entry(hz).or_insert_with(|| sine(hz)).clone()
    }

    /// The ringback of this frame; none in its pauses.
    pub fn ringback_frame(&self, frame: i64) -> Option<&[i16]> {
        (frame.rem_euclid(RINGBACK_FRAMES) < RINGBACK_ON_FRAMES).then(|| self.ringback.frame(frame))
    }
}

fn sine(hz: u32) -> Tone {
    let step = TAU * f64::from(hz) / SAMPLE_RATE as f64;
    Tone((0..SAMPLE_RATE).map(|n| (AMPLITUDE * (step * n as f64).sin()).round() as i16).collect())
}

/// One of the closed set of announcements, each a tone of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnnouncementTone {
    /// Its name in the interface.
    pub name: &'static str,
    pub hz: u32,
    /// Its length in frames.
    pub frames: i64,
}

/// A mailbox plays it first.
pub const VOICEMAIL_GREETING: AnnouncementTone = AnnouncementTone { name: "voicemail_greeting", hz: 2_000, frames: 50 };
/// A mailbox plays it before it records.
pub const BEEP: AnnouncementTone = AnnouncementTone { name: "beep", hz: 3_100, frames: 15 };

pub const ANNOUNCEMENTS: [AnnouncementTone; 5] = [
    AnnouncementTone { name: "customer_disconnected", hz: 2_600, frames: 75 },
    VOICEMAIL_GREETING,
    BEEP,
    AnnouncementTone { name: "please_wait", hz: 3_300, frames: 50 },
    AnnouncementTone { name: "goodbye", hz: 2_900, frames: 50 },
];

pub fn announcement(name: &str) -> Option<AnnouncementTone> {
    ANNOUNCEMENTS.into_iter().find(|a| a.name == name)
}

/// The default tones of phones, in the order in which they are given out: the three of most tests, then every multiple of 50 Hz that
/// is far enough from the sounds of the switch.
pub fn phone_tones() -> impl Iterator<Item = u32> {
    let rest = (14..=76).map(|n| n * 50).filter(|hz| !FIRST_PHONES_HZ.contains(hz) && is_free(*hz));
    FIRST_PHONES_HZ.into_iter().chain(rest)
}

fn is_free(hz: u32) -> bool {
    let in_use = [CUSTOMER_HZ, MUSIC_HZ, RINGBACK_HZ].into_iter().chain(ANNOUNCEMENTS.map(|a| a.hz));
    in_use.into_iter().all(|other| hz.abs_diff(other) >= APART_HZ)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_goes_on_from_frame_to_frame_without_a_jump() {
        let tone = sine(440);
        let joined: Vec<i16> = (48..53).flat_map(|frame| tone.frame(frame).to_vec()).collect();
        let steepest = joined.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max();
        assert!(steepest.is_some_and(|step| step < 2_900), "{steepest:?}");
    }

    #[test]
    fn the_documentation_has_every_announcement_with_its_length() {
        let docs = include_str!("../../../../docs/ivr.md");
        for it in ANNOUNCEMENTS {
            let seconds = it.frames as f64 / FRAMES_IN_A_SECOND as f64;
            let row = format!("| `{}` | {seconds} s |", it.name);
            assert!(docs.contains(&row), "{row}");
        }
    }

    #[test]
    fn default_tones_are_distinct_and_far_from_the_sounds_of_the_switch() {
        let tones: Vec<u32> = phone_tones().collect();
        assert_eq!(tones[..3], FIRST_PHONES_HZ);
        assert!(tones.len() > 40, "{}", tones.len());
        let mut sorted = tones.clone();
        sorted.sort_unstable();
        assert!(sorted.windows(2).all(|pair| pair[1] - pair[0] >= APART_HZ));
        assert!(tones.iter().all(|hz| is_free(*hz) && PHONE_HZ.contains(hz)));
    }
}
