//! Finds which tones are heard in a piece of sound, and when.
//!
//! Every party on the simulated switch speaks a tone of its own at -12 dBFS. The level of a tone is taken from windows of 100 ms
//! (Goertzel's algorithm with a Hann window): tones that are 40 Hz or more apart are never confused, and 28 dB lie between a tone
//! that is there and the threshold.

use std::collections::BTreeSet;
use std::f64::consts::TAU;

/// Samples in a second.
pub const SAMPLE_RATE: usize = 8_000;
/// A tone counts as heard above this level, in dB of full scale.
pub const THRESHOLD_DBFS: f64 = -40.0;
pub const WINDOW_MS: usize = 100;

const SAMPLES_IN_A_MS: usize = SAMPLE_RATE / 1_000;
/// The level of silence.
const FLOOR_DBFS: f64 = -120.0;

/// A stretch of sound with the same tones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    pub start_ms: usize,
    pub end_ms: usize,
    /// Of the tones that were looked for.
    pub hz: BTreeSet<u32>,
}

/// The level of a tone in the whole piece, in dB of a sine of full scale.
pub fn level_dbfs(samples: &[i16], hz: u32) -> f64 {
    let length = samples.len() as f64;
    let coefficient = 2.0 * (TAU * f64::from(hz) / SAMPLE_RATE as f64).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let window = 0.5 - 0.5 * (TAU * (n as f64 + 0.5) / length).cos();
        let next = f64::from(*sample) / 32_768.0 * window + coefficient * last - before;
        (before, last) = (last, next);
    }
    let power = last * last + before * before - coefficient * last * before;
    // The window halves a sine's amplitude, and a sine's energy is in two lines.
    let amplitude = power.max(0.0).sqrt() * 4.0 / length.max(1.0);
    (20.0 * amplitude.log10()).max(FLOOR_DBFS)
}

/// Whether the tone is there in any 100 ms of the piece.
pub fn hears(samples: &[i16], hz: u32) -> bool {
    windows(samples, WINDOW_MS).any(|window| level_dbfs(window, hz) > THRESHOLD_DBFS)
}

/// The tones, of those given, that are there in any 100 ms of the piece.
pub fn heard_tones(samples: &[i16], hz: &[u32]) -> BTreeSet<u32> {
    hz.iter().copied().filter(|hz| hears(samples, *hz)).collect()
}

/// Which of the tones are there when, window by window; equal neighbours are joined. A tone that begins or ends within a window is
/// there in that window, so edges are accurate to one window. A rest at the end that is shorter than a window is ignored.
pub fn timeline(samples: &[i16], hz: &[u32], window_ms: usize) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for (n, window) in windows(samples, window_ms).enumerate() {
        let there = |hz: &u32| level_dbfs(window, *hz) > THRESHOLD_DBFS;
        let tones: BTreeSet<u32> = hz.iter().copied().filter(there).collect();
        let end_ms = (n + 1) * window_ms;
        match stretches.last_mut() {
            Some(last) if last.hz == tones => last.end_ms = end_ms,
            _ => stretches.push(Stretch { start_ms: n * window_ms, end_ms, hz: tones }),
        }
    }
    stretches
}

fn windows(samples: &[i16], window_ms: usize) -> impl Iterator<Item = &[i16]> {
    samples.chunks_exact(window_ms.max(1) * SAMPLES_IN_A_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [u32; 9] = [350, 440, 600, 1_000, 1_700, 2_000, 2_300, 2_600, 3_100];

    fn sine(hz: u32, ms: usize) -> Vec<i16> {
        let step = TAU * f64::from(hz) / SAMPLE_RATE as f64;
        (0..ms * SAMPLES_IN_A_MS).map(|n| (8_231.0 * (step * n as f64).sin()) as i16).collect()
    }

    fn set(hz: &[u32]) -> BTreeSet<u32> {
        hz.iter().copied().collect()
    }

    #[test]
    fn a_tone_at_minus_12_dbfs_is_measured_as_such_and_as_no_other() {
        for hz in ALL {
            let samples = sine(hz, 100);
            assert!((level_dbfs(&samples, hz) + 12.0).abs() < 0.2, "{hz}");
            let others = ALL.into_iter().filter(|other| *other != hz);
            for other in others {
                assert!(level_dbfs(&samples, other) < -52.0, "{other} in {hz}");
            }
        }
    }

    #[test]
    fn silence_has_no_tone() {
        assert_eq!(heard_tones(&[0; 8_000], &ALL), set(&[]));
        assert!(!hears(&[], 440));
    }

    #[test]
    fn a_mixture_has_its_tones() {
        let mixture: Vec<i16> = sine(440, 300).iter().zip(sine(1_000, 300)).map(|(a, b)| a + b).collect();
        assert_eq!(heard_tones(&mixture, &ALL), set(&[440, 1_000]));
    }

    #[test]
    fn a_timeline_says_when() {
        let samples = [sine(440, 300), vec![0; 1_600], sine(600, 400)].concat();
        let stretch = |start_ms, end_ms, hz: &[u32]| Stretch { start_ms, end_ms, hz: set(hz) };
        let expected = [stretch(0, 300, &[440]), stretch(300, 500, &[]), stretch(500, 900, &[600])];
        assert_eq!(timeline(&samples, &ALL, WINDOW_MS), expected);
    }
}
