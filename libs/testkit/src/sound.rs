//! A piece of sound with the time of its first sample, so that what was heard can be compared with what happened.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use baton_audio::tones::{self, Stretch, WINDOW_MS};
use baton_audio::wav;

/// The time of one sample.
const SAMPLE_US: i64 = 125;

/// The sound that a phone heard, or that a recording holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sound {
    /// The time of the first sample, microseconds since the epoch.
    pub started_at_us: i64,
    /// 8,000 a second.
    pub samples: Vec<i16>,
}

impl Sound {
    /// Reads a WAV file.
    pub fn of_wav(file: &[u8], started_at_us: i64) -> anyhow::Result<Self> {
        Ok(Self { started_at_us, samples: wav::samples(file)? })
    }

    pub fn duration_ms(&self) -> i64 {
        self.samples.len() as i64 * SAMPLE_US / 1_000
    }

    /// The time after the last sample.
    pub fn ended_at_us(&self) -> i64 {
        self.started_at_us + self.samples.len() as i64 * SAMPLE_US
    }

    /// The part between two times; shorter where there is nothing.
    #[must_use]
    pub fn between(&self, from_us: i64, to_us: i64) -> Self {
        let at = |us: i64| ((us - self.started_at_us).max(0) / SAMPLE_US) as usize;
        let to = at(to_us).min(self.samples.len());
        let from = at(from_us).min(to);
        Self { started_at_us: self.started_at_us.max(from_us), samples: self.samples[from..to].to_vec() }
    }

    /// The last part of it.
    #[must_use]
    pub fn last_ms(&self, ms: i64) -> Self {
        self.between(self.ended_at_us() - ms * 1_000, self.ended_at_us())
    }

    /// Whether the tone is anywhere in it.
    pub fn hears(&self, hz: u32) -> bool {
        tones::hears(&self.samples, hz)
    }

    /// The tones, of those given, that are anywhere in it.
    pub fn tones(&self, hz: &[u32]) -> BTreeSet<u32> {
        tones::heard_tones(&self.samples, hz)
    }

    pub fn timeline(&self, hz: &[u32]) -> Vec<Stretch> {
        tones::timeline(&self.samples, hz, WINDOW_MS)
    }

    /// How long the tone is heard in all, accurate to one window at each edge.
    pub fn heard_ms(&self, hz: u32) -> usize {
        let stretches = self.timeline(&[hz]);
        stretches.iter().filter(|it| !it.hz.is_empty()).map(|it| it.end_ms - it.start_ms).sum()
    }

    /// The timeline in words, for failures: `0.0-1.2 s 440 Hz, 1.2-3.0 s silence`.
    pub fn in_words(&self, hz: &[u32]) -> String {
        let mut words = String::new();
        for stretch in self.timeline(hz) {
            let comma = if words.is_empty() { "" } else { ", " };
            let (from, to) = (stretch.start_ms as f64 / 1_000.0, stretch.end_ms as f64 / 1_000.0);
            // Writing to a string can't fail.
            let _ = write!(words, "{comma}{from:.1}-{to:.1} s {}", tones_in_words(&stretch.hz));
        }
        if words.is_empty() { "nothing".to_owned() } else { words }
    }
}

fn tones_in_words(hz: &BTreeSet<u32>) -> String {
    if hz.is_empty() {
        return "silence".to_owned();
    }
    let names: Vec<_> = hz.iter().map(u32::to_string).collect();
    format!("{} Hz", names.join("+"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: u32, ms: usize) -> Vec<i16> {
        let step = std::f64::consts::TAU * f64::from(hz) / 8_000.0;
        (0..ms * 8).map(|n| (8_231.0 * (step * n as f64).sin()) as i16).collect()
    }

    fn call() -> Sound {
        let samples = [tone(440, 1_000), tone(600, 500), tone(440, 100), vec![0; 8_000]].concat();
        Sound { started_at_us: 10_000_000, samples }
    }

    #[test]
    fn a_part_keeps_its_time() {
        let part = call().between(11_000_000, 11_500_000);
        assert_eq!((part.started_at_us, part.duration_ms()), (11_000_000, 500));
        assert_eq!(part.tones(&[440, 600]), BTreeSet::from([600]));
        assert_eq!(call().between(0, 9_000_000).duration_ms(), 0);
        assert_eq!(call().between(0, i64::MAX / 2), call());
        assert!(!call().last_ms(900).hears(440));
    }

    #[test]
    fn a_tone_is_heard_for_as_long_as_it_lasts_in_all() {
        assert_eq!(call().heard_ms(440), 1_100);
    }

    #[test]
    fn words_say_who_is_heard_when() {
        let words = call().in_words(&[440, 600]);
        assert_eq!(words, "0.0-1.0 s 440 Hz, 1.0-1.5 s 600 Hz, 1.5-1.6 s 440 Hz, 1.6-2.6 s silence");
    }
}
