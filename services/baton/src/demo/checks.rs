//! What must have happened, checked on what was heard, recorded and published.

use std::collections::{BTreeMap, BTreeSet};

use baton_api::common::v1::TransferPhase;
use baton_api::event::v1::Event;
use baton_api::recording::v1::{Recording, recording};
use baton_api::transfer::v1::Transfer;

use super::DemoKind;
use super::evidence::Evidence;
use super::scenes::{ADA, BEN, CUSTOMER, MUSIC, RINGING, Scene, length, scene, scenes, spoken, stretches};
use super::telling::Check;
use super::{DemoProfile, DemoScenario};
use crate::client::word;

/// An edge may be off by this much (R1), plus the window in which it is seen.
const EDGE_MS: usize = 300;
/// The customer is never without anything to hear for as long (C1).
const GAP_MS: usize = 2_000;

impl Check {
    fn new(name: &str, passed: bool, found: impl Into<String>) -> Self {
        Self { name: name.to_owned(), passed, found: found.into() }
    }

    fn scenes(name: &str, samples: &[i16], expected: &[Scene]) -> Self {
        let found = scenes(samples);
        Self::new(name, found == expected, spoken(&found))
    }
}

/// All checks of this play.
pub(super) fn all(evidence: &Evidence, play: DemoScenario) -> Vec<Check> {
    let mut checks = heard(evidence, play);
    checks.extend(recorded(evidence, play));
    checks.extend(state(evidence));
    checks
}

fn heard(evidence: &Evidence, play: DemoScenario) -> Vec<Check> {
    let (customer, initiator, recipient) = match play.kind {
        DemoKind::Warm if play.profile == DemoProfile::UserTransfer => (
            vec![scene(&[RINGING]), scene(&[ADA]), scene(&[MUSIC]), scene(&[BEN])],
            vec![scene(&[CUSTOMER]), scene(&[RINGING]), scene(&[BEN])],
            vec![scene(&[ADA]), scene(&[CUSTOMER])],
        ),
        DemoKind::Warm if play.profile == DemoProfile::Engagement => (
            vec![scene(&[RINGING]), scene(&[ADA]), scene(&[BEN])],
            vec![scene(&[CUSTOMER])],
            vec![scene(&[MUSIC]), scene(&[CUSTOMER])],
        ),
        DemoKind::OnAnswer => {
            (vec![scene(&[RINGING]), scene(&[ADA]), scene(&[BEN])], vec![scene(&[CUSTOMER])], vec![scene(&[CUSTOMER])])
        }
        DemoKind::Warm => (
            vec![scene(&[RINGING]), scene(&[ADA]), scene(&[MUSIC]), scene(&[ADA, BEN]), scene(&[BEN])],
            vec![scene(&[CUSTOMER]), scene(&[RINGING]), scene(&[BEN]), scene(&[CUSTOMER, BEN])],
            vec![scene(&[ADA]), scene(&[CUSTOMER, ADA]), scene(&[CUSTOMER])],
        ),
        DemoKind::Cold => (
            vec![scene(&[RINGING]), scene(&[ADA]), scene(&[RINGING]), scene(&[BEN])],
            vec![scene(&[CUSTOMER])],
            vec![scene(&[CUSTOMER])],
        ),
    };
    let mut checks = vec![
        Check::scenes("the customer heard, in order", &evidence.customer_heard, &customer),
        Check::scenes("Ada heard, in order", &evidence.initiator_heard, &initiator),
        Check::scenes("Ben heard, in order", &evidence.recipient_heard, &recipient),
        never_in_silence(&evidence.customer_heard),
    ];
    if play.kind == DemoKind::Warm && play.profile != DemoProfile::Engagement {
        checks.push(music_alone(&evidence.customer_heard));
    }
    checks
}

fn never_in_silence(samples: &[i16]) -> Check {
    let longest = stretches(samples).iter().filter(|it| it.hz.is_empty()).map(length).max().unwrap_or(0);
    Check::new("the customer was never in silence for 2 s", longest < GAP_MS, format!("{longest} ms at most"))
}

fn music_alone(samples: &[i16]) -> Check {
    let with_music: Vec<_> = stretches(samples).into_iter().filter(|it| it.hz.contains(&MUSIC)).collect();
    let music_ms: usize = with_music.iter().map(length).sum();
    let disturbed = with_music.iter().any(|it| it.hz.len() > 1 && length(it) > EDGE_MS);
    let passed = music_ms > 0 && !disturbed;
    Check::new("on hold the customer heard music and nobody", passed, format!("{music_ms} ms of music"))
}

fn recorded(evidence: &Evidence, play: DemoScenario) -> Vec<Check> {
    let three = scene(&[CUSTOMER, ADA, BEN]);
    let (mut first, mut second) = (vec![scene(&[CUSTOMER, ADA])], vec![scene(&[CUSTOMER, BEN])]);
    // The three-way belongs to the recording of whoever took the customer off hold (B206).
    match (play.kind, play.profile) {
        (DemoKind::Warm, DemoProfile::LeadCenter | DemoProfile::Aicc) => first.push(three),
        (DemoKind::Warm, DemoProfile::Helpdesk) => second.insert(0, three),
        (DemoKind::Warm, DemoProfile::Engagement | DemoProfile::UserTransfer)
        | (DemoKind::Cold | DemoKind::OnAnswer, _) => {}
    }
    let mut checks = vec![stored(&evidence.recordings)];
    for (number, expected) in [(1, first), (2, second)] {
        let name = format!("recording {number} holds, in order");
        let found = evidence.recordings.iter().find(|(it, _)| it.ordinal == number);
        checks.push(match found {
            Some((_, samples)) => Check::scenes(&name, samples, &expected),
            None => Check::new(&name, false, "no such recording"),
        });
    }
    checks.push(nothing_private(&evidence.recordings));
    checks
}

fn stored(recordings: &[(Recording, Vec<i16>)]) -> Check {
    let states: Vec<_> = recordings.iter().map(|(it, _)| word::recording_state(it.state)).collect();
    let is_stored = |(it, _): &(Recording, Vec<i16>)| it.state() == recording::State::Stored;
    let passed = recordings.len() == 2 && recordings.iter().all(is_stored);
    Check::new("two recordings are stored and checked", passed, states.join(", "))
}

/// A consult is two agents without the customer; hold music is for nobody else.
fn nothing_private(recordings: &[(Recording, Vec<i16>)]) -> Check {
    let is_private = |hz: &Scene| (!hz.is_empty() && !hz.contains(&CUSTOMER)) || hz.contains(&MUSIC);
    let private_ms: usize = recordings
        .iter()
        .flat_map(|(_, samples)| stretches(samples))
        .filter(|it| is_private(&it.hz))
        .map(|it| length(&it))
        .sum();
    let found = format!("{private_ms} ms of it");
    Check::new("no recording holds the consult or the music", private_ms == 0 && !recordings.is_empty(), found)
}

fn state(evidence: &Evidence) -> Vec<Check> {
    let phase = evidence.call.transfer.as_ref().map_or(TransferPhase::Unspecified, Transfer::phase);
    let claimed: Vec<_> = evidence.presences.iter().filter(|(_, it)| !it.is_free()).collect();
    let claims = match claimed.as_slice() {
        [] => "nobody is claimed".to_owned(),
        some => some.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "),
    };
    let hops = evidence.call.journey.len();
    let (whole, events) = gap_free(&evidence.events);
    vec![
        Check::new("the transfer is completed", phase == TransferPhase::Completed, word::transfer_phase(phase.into())),
        Check::new("all claims are released", claimed.is_empty(), claims),
        Check::new("the journey has two hops", hops == 2, format!("{hops} hops")),
        Check::new("events are numbered without gaps", whole, events),
        Check::new("nothing is left on the switch", evidence.live_legs == 0, format!("{} legs", evidence.live_legs)),
    ]
}

/// Whether each service's events of each subject are 1, 2, 3… in this order.
fn gap_free(events: &[Event]) -> (bool, String) {
    let mut last: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for event in events {
        let last = last.entry((&event.subject, &event.source)).or_default();
        if event.sequence != *last + 1 {
            return (false, format!("{}: {} after {}", event.subject, event.sequence, *last));
        }
        *last = event.sequence;
    }
    let subjects: BTreeSet<_> = last.keys().map(|(subject, _)| subject).collect();
    (!events.is_empty(), format!("{} events of {} subjects", events.len(), subjects.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(subject: &str, sequence: i64) -> Event {
        Event { subject: subject.to_owned(), sequence, ..Event::default() }
    }

    fn sound(hz: &[u32], ms: usize) -> Vec<i16> {
        let sample = |n: usize| -> f64 {
            hz.iter().map(|hz| 8_000.0 * (std::f64::consts::TAU * f64::from(*hz) * n as f64 / 8_000.0).sin()).sum()
        };
        (0..ms * 8).map(|n| sample(n) as i16).collect()
    }

    #[test]
    fn a_gap_a_repetition_and_no_events_at_all_are_seen() {
        assert!(gap_free(&[event("a", 1), event("b", 1), event("a", 2)]).0);
        assert!(!gap_free(&[event("a", 1), event("a", 3)]).0);
        assert!(!gap_free(&[event("a", 1), event("a", 1)]).0);
        assert!(!gap_free(&[event("a", 2)]).0);
        assert!(!gap_free(&[]).0);
    }

    #[test]
    fn a_consult_in_a_recording_is_seen() {
        let good = [sound(&[CUSTOMER, ADA], 1_000), sound(&[CUSTOMER, ADA, BEN], 1_000)].concat();
        assert!(nothing_private(&[(Recording::default(), good.clone())]).passed);
        let bad = [good, sound(&[ADA, BEN], 300)].concat();
        assert!(!nothing_private(&[(Recording::default(), bad)]).passed);
        assert!(!nothing_private(&[]).passed);
    }

    #[test]
    fn an_agent_heard_through_the_music_is_seen() {
        assert!(music_alone(&sound(&[MUSIC], 2_000)).passed);
        assert!(!music_alone(&[sound(&[MUSIC], 1_000), sound(&[MUSIC, ADA], 500)].concat()).passed);
        assert!(!music_alone(&sound(&[ADA], 1_000)).passed);
    }

    #[test]
    fn two_seconds_of_silence_are_seen() {
        assert!(never_in_silence(&[sound(&[ADA], 500), sound(&[], 1_500), sound(&[ADA], 500)].concat()).passed);
        assert!(!never_in_silence(&[sound(&[ADA], 500), sound(&[], 2_500)].concat()).passed);
    }
}
