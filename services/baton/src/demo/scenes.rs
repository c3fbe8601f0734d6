//! A piece of sound as a row of scenes: who was heard one after the other.

use std::collections::BTreeSet;

use baton_audio::tones::{Stretch, WINDOW_MS, timeline};

/// The customer.
pub(super) const CUSTOMER: u32 = 440;
/// The first agent.
pub(super) const ADA: u32 = 1_000;
/// The second agent.
pub(super) const BEN: u32 = 1_700;
/// Hold music.
pub(super) const MUSIC: u32 = 600;
/// Ringback: 0.4 s on, 0.2 s off.
pub(super) const RINGING: u32 = 350;

const ALL: [u32; 5] = [RINGING, CUSTOMER, MUSIC, ADA, BEN];
/// Longer than the silence between two rings.
const SILENCE_MS: usize = 400;
/// What is shorter is an edge: a window in which one scene ends and the next begins.
const SCENE_MS: usize = 300;

/// Those who are heard at the same time.
pub(super) type Scene = BTreeSet<u32>;

/// One scene.
pub(super) fn scene(tones: &[u32]) -> Scene {
    tones.iter().copied().collect()
}

/// The scenes, in order; no two neighbours are equal.
pub(super) fn scenes(samples: &[i16]) -> Vec<Scene> {
    let audible = stretches(samples).into_iter().filter(|it| !it.hz.is_empty() || length(it) > SILENCE_MS);
    let mut joined: Vec<Stretch> = Vec::new();
    for stretch in audible {
        match joined.last_mut() {
            Some(last) if last.hz == stretch.hz => last.end_ms = stretch.end_ms,
            _ => joined.push(stretch),
        }
    }
    let mut scenes: Vec<_> = joined.into_iter().filter(|it| length(it) >= SCENE_MS).map(|it| it.hz).collect();
    scenes.dedup();
    scenes.retain(|it| !it.is_empty());
    scenes
}

/// Stretches of the same tones.
pub(super) fn stretches(samples: &[i16]) -> Vec<Stretch> {
    timeline(samples, &ALL, WINDOW_MS)
}

/// How long a stretch is.
pub(super) fn length(stretch: &Stretch) -> usize {
    stretch.end_ms - stretch.start_ms
}

/// In words.
pub(super) fn spoken(scenes: &[Scene]) -> String {
    let scene = |it: &Scene| it.iter().map(|hz| name(*hz)).collect::<Vec<_>>().join("+");
    scenes.iter().map(scene).collect::<Vec<_>>().join(", ")
}

fn name(hz: u32) -> &'static str {
    match hz {
        CUSTOMER => "customer",
        ADA => "Ada",
        BEN => "Ben",
        MUSIC => "music",
        RINGING => "ringing",
        _ => "?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound(hz: &[u32], ms: usize) -> Vec<i16> {
        let sample = |n: usize| -> f64 {
            hz.iter().map(|hz| 8_000.0 * (std::f64::consts::TAU * f64::from(*hz) * n as f64 / 8_000.0).sin()).sum()
        };
        (0..ms * 8).map(|n| sample(n) as i16).collect()
    }

    #[test]
    fn rings_are_one_scene_and_edges_are_none() {
        let ring = [sound(&[RINGING], 400), sound(&[], 200)].concat();
        let samples =
            [ring.repeat(3), sound(&[RINGING, ADA], 100), sound(&[ADA], 500), sound(&[ADA, BEN], 500)].concat();
        assert_eq!(scenes(&samples), [scene(&[RINGING]), scene(&[ADA]), scene(&[ADA, BEN])]);
        assert_eq!(spoken(&scenes(&samples)), "ringing, Ada, Ada+Ben");
    }

    #[test]
    fn a_long_silence_parts_two_scenes_that_are_equal_otherwise() {
        let samples = [sound(&[ADA], 500), sound(&[], 1_000), sound(&[ADA], 500)].concat();
        assert_eq!(scenes(&samples), [scene(&[ADA]), scene(&[ADA])]);
    }
}
