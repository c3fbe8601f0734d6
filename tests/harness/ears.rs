//! The sound on a leg as a story: which parties were heard, in which order.

use std::collections::BTreeSet;

use baton_audio::tones::WINDOW_MS;
use baton_testkit::Sound;

/// The customer.
pub(crate) const CUSTOMER: u32 = 440;
/// The first agent of a tenant, the second, the third.
pub(crate) const ADA: u32 = 1_000;
pub(crate) const BEN: u32 = 1_700;
pub(crate) const CLEO: u32 = 2_300;
/// The fourth.
const DAN: u32 = 700;
/// Hold music.
pub(crate) const MUSIC: u32 = 600;
/// Ringing, as a caller hears it.
pub(crate) const RINGING: u32 = 350;
/// "The customer has disconnected."
pub(crate) const GONE: u32 = 2_600;
/// A mailbox's greeting, and its beep.
pub(crate) const GREETING: u32 = 2_000;
pub(crate) const BEEP: u32 = 3_100;

/// Everything that can be heard in a call.
pub(crate) const ALL: [u32; 10] = [RINGING, CUSTOMER, MUSIC, DAN, ADA, BEN, GREETING, CLEO, GONE, BEEP];

/// While one tone ends and the next begins a window may have both, or neither.
const EDGE_MS: usize = 3 * WINDOW_MS;

pub(crate) fn tones(hz: &[u32]) -> BTreeSet<u32> {
    hz.iter().copied().collect()
}

/// The sets of tones in their order, without silence, edges, and the ringing before the answer: its length depends on how busy the
/// machine is.
pub(crate) fn story(sound: &Sound) -> Vec<BTreeSet<u32>> {
    let mut story: Vec<BTreeSet<u32>> = Vec::new();
    for stretch in sound.timeline(&ALL) {
        let is_ringing = stretch.hz == tones(&[RINGING]);
        let is_edge = stretch.end_ms - stretch.start_ms < EDGE_MS && !is_ringing;
        let is_first_ringing = story.is_empty() && stretch.hz.contains(&RINGING);
        if !is_edge && !is_first_ringing && !stretch.hz.is_empty() && story.last() != Some(&stretch.hz) {
            story.push(stretch.hz);
        }
    }
    story
}

/// Fails if the story is another one.
pub(crate) fn tells(who: &str, sound: &Sound, expected: &[&[u32]]) -> anyhow::Result<()> {
    let expected: Vec<_> = expected.iter().map(|hz| tones(hz)).collect();
    anyhow::ensure!(story(sound) == expected, "{who} should have heard {expected:?}, but: {}", sound.in_words(&ALL));
    Ok(())
}

/// Whether these tones are heard all the time, and no others; ringing has pauses.
pub(crate) fn is_exactly(sound: &Sound, hz: &[u32]) -> bool {
    let expected = tones(hz);
    let may_pause = expected == tones(&[RINGING]) && sound.hears(RINGING);
    sound.timeline(&ALL).iter().all(|stretch| stretch.hz == expected || (may_pause && stretch.hz.is_empty()))
}

/// The longest silence.
pub(crate) fn longest_silence_ms(sound: &Sound) -> usize {
    let silent = sound.timeline(&ALL).into_iter().filter(|stretch| stretch.hz.is_empty());
    silent.map(|stretch| stretch.end_ms - stretch.start_ms).max().unwrap_or(0)
}

/// Fails if the sound has other tones than these, or lacks one.
pub(crate) fn holds_exactly(what: &str, sound: &Sound, hz: &[u32]) -> anyhow::Result<()> {
    anyhow::ensure!(lasting(sound) == tones(hz), "{what} should hold {hz:?}, but: {}", sound.in_words(&ALL));
    Ok(())
}

/// The tones that are heard for longer than an edge: the window in which a tone is cut off has a little of every tone.
fn lasting(sound: &Sound) -> BTreeSet<u32> {
    let lasts = |hz: &u32| {
        let stretches = sound.timeline(&[*hz]);
        stretches.iter().any(|it| !it.hz.is_empty() && it.end_ms - it.start_ms >= 2 * WINDOW_MS)
    };
    ALL.into_iter().filter(lasts).collect()
}

/// B208: fails if agents are heard without the customer anywhere. One window at an edge may be cut.
pub(crate) fn has_no_consult(what: &str, sound: &Sound) -> anyhow::Result<()> {
    let consult = sound.timeline(&ALL).into_iter().find(|stretch| {
        let agents = [ADA, BEN, CLEO, DAN].iter().any(|hz| stretch.hz.contains(hz));
        agents && !stretch.hz.contains(&CUSTOMER) && stretch.end_ms - stretch.start_ms > 2 * WINDOW_MS
    });
    let music = sound.hears(MUSIC);
    anyhow::ensure!(consult.is_none() && !music, "{what} has a consult or hold music: {}", sound.in_words(&ALL));
    Ok(())
}
