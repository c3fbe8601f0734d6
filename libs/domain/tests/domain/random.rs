//! Random input sequences: commands by anybody, facts in any order, repeated and late, deadlines; the invariants hold after each.

use crate::{
    invariants::check,
    world::{SECOND, World, agent, by, command_of, flow, on_behalf_of, outside, policy, queue, ring, supervisor, team},
};
use baton_domain::{
    Action, Actor, Command, Fact, Input, OutsideSort, StartTransfer, Target,
    input::{FlowDatum, FlowEnd, FlowValue, SegmentEnd},
    machine::FlowStep,
    policy::PROFILES,
};
use baton_words::{
    AnnouncementNo, ClaimNo, ExitNo, ExitOutcome, LegNo, Reason, RecordingMode, Room, SegmentNo, TeamId, TransferKind,
    TransferNo, WaitNo,
};
use proptest::prelude::*;

fn actors() -> impl Strategy<Value = Actor> {
    prop_oneof![8 => (1..=4u128).prop_map(by), 1 => (1..=2u128).prop_map(on_behalf_of), 1 => Just(supervisor()), 1 => Just(Actor::Customer)]
}

/// Commands about the first transfers, whether or not they are open.
fn commands() -> impl Strategy<Value = Input> {
    let plain = (0..Action::ALL.len(), 0..4u32)
        .prop_map(|(at, no)| command_of(Action::ALL[at], (no > 0).then_some(TransferNo(no))));
    let target = prop_oneof![4 => (1..=4u128).prop_map(|n| Target::Agent(agent(n))), 1 => Just(team()), 1 => Just(queue()),
        2 => any::<bool>().prop_map(flow), 1 => Just(outside(OutsideSort::Typed)), 1 => Just(outside(OutsideSort::Forwarding))];
    let start = (0..TransferKind::ALL.len(), target, any::<bool>()).prop_map(|(kind, target, listed)| {
        let outcome = if listed { "Other".into() } else { "".into() };
        let message = if listed { "as agreed".into() } else { "".into() };
        Command::Start(StartTransfer { kind: TransferKind::ALL[kind], target, message, outcome })
    });
    (actors(), prop_oneof![3 => plain, 2 => start]).prop_map(|(actor, command)| Input::Command(actor, command))
}

fn facts() -> impl Strategy<Value = Input> {
    let leg = (1..=6u32).prop_map(LegNo);
    let room = prop_oneof![
        Just(None),
        Just(Some(Room::Talk)),
        Just(Some(Room::Hold)),
        Just(Some(Room::Consult)),
        Just(Some(Room::Lobby))
    ];
    let ended =
        prop_oneof![Just(Reason::HungUp), Just(Reason::NoAnswer), Just(Reason::Busy), Just(Reason::Unreachable)];
    let exit = prop_oneof![Just(ExitOutcome::Left), Just(ExitOutcome::Returned), Just(ExitOutcome::Unknown)];
    prop_oneof![
        6 => (leg.clone(), room).prop_map(|(leg, room)| Fact::LegUp(leg, room)),
        2 => (leg, ended).prop_map(|(leg, reason)| Fact::LegEnded(leg, reason)),
        6 => (1..=6u32).prop_map(|no| Fact::ClaimGranted(ClaimNo(no))),
        2 => (1..=6u32).prop_map(|no| Fact::ClaimRefused(ClaimNo(no), Reason::Busy)),
        2 => (1..=6u32).prop_map(|no| Fact::ClaimQueued(ClaimNo(no))),
        2 => (1..=4u32, 1..=4u128).prop_map(|(no, n)| Fact::Proposed(WaitNo(no), vec![agent(n)])),
        1 => (1..=4u32).prop_map(|no| Fact::Exhausted(WaitNo(no))),
        1 => (1..=4u32).prop_map(|no| Fact::Unattended(WaitNo(no))),
        1 => (1..=4u32).prop_map(|no| Fact::Closed(WaitNo(no))),
        1 => (1..=4u32).prop_map(|no| Fact::Queued(WaitNo(no), 2)),
        1 => Just(Fact::AnnouncementOver(AnnouncementNo(1))),
        1 => exit.prop_map(|outcome| Fact::ExitOver(ExitNo(1), outcome)),
        2 => (1..=3u32, 0..3usize).prop_map(|(no, data)| Fact::InFlow(ExitNo(no), pressed(data))),
        2 => (1..=3u32, 0..3usize, flow_end()).prop_map(|(no, data, end)| Fact::FlowOver(ExitNo(no), end, pressed(data))),
        2 => (1..=6u32).prop_map(|no| Fact::SegmentLive(SegmentNo(no))),
        2 => (1..=6u32, any::<bool>()).prop_map(|(no, failed)| {
            Fact::SegmentEnded(SegmentNo(no), SegmentEnd { started_at_us: 1, ended_at_us: 2, failed })
        }),
    ]
    .prop_map(Input::Fact)
}

fn flow_end() -> impl Strategy<Value = FlowEnd> {
    prop_oneof![
        Just(FlowEnd::Returned),
        Just(FlowEnd::Ended),
        (0..6u32).prop_map(FlowEnd::Transferred),
        Just(FlowEnd::Left),
        Just(FlowEnd::Unknown)
    ]
}

/// What a flow has collected and set so far: the first of these.
pub fn pressed(count: usize) -> Vec<FlowDatum> {
    let all =
        [("choice", FlowValue::Digits("2".into())), ("pin", FlowValue::Secret), ("seen", FlowValue::Set("yes".into()))];
    all.into_iter().take(count).map(|(key, value)| FlowDatum { key: key.into(), value }).collect()
}

fn inputs() -> impl Strategy<Value = Input> {
    prop_oneof![5 => commands(), 5 => facts(), 1 => Just(Input::Tick)]
}

fn worlds() -> impl Strategy<Value = World> {
    (0..PROFILES.len(), 0..3u8, 0..8u8).prop_map(|(profile, mode, flow)| {
        let mode = [RecordingMode::All, RecordingMode::Outgoing, RecordingMode::Manual][mode as usize];
        let first = ring(1);
        let ring_team = FlowStep::RingTeam {
            team: TeamId(uuid::Uuid::from_u128(500)),
            name: "support".into(),
            ring_ms: 10_000,
            wait_ms: 60_000,
        };
        let policy = policy(PROFILES[profile].name, "");
        let flow = match flow {
            6 => return World::chat(policy, vec![first, FlowStep::Voicemail("desk".into()), ring_team]),
            5 => return World::chat(policy, vec![ring_team]),
            4 => return World::placed(policy, mode),
            7 => {
                let Target::Queue(queue) = queue() else { unreachable!("a queue") };
                vec![first, FlowStep::Queue(queue), FlowStep::Disconnect]
            }
            0 => vec![first],
            1 => vec![first, FlowStep::Voicemail("desk".into())],
            2 => vec![ring_team, FlowStep::Disconnect],
            _ => vec![first, ring_team, FlowStep::Voicemail("desk".into())],
        };
        World::new(policy, mode, flow)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every invariant holds after every input, whatever came before.
    #[test]
    fn invariants_hold_over_random_inputs(mut world in worlds(), inputs in prop::collection::vec((inputs(), 0..5i64), 0..60)) {
        // Most runs begin with a conversation: otherwise little of interest is reached.
        world.fact(Fact::ClaimGranted(ClaimNo(1)));
        world.fact(Fact::LegUp(LegNo(2), None));
        let _ = world.command(1, Command::Accept(None));
        check(&world);
        for (input, seconds) in inputs {
            world.pass(seconds * SECOND);
            let before = (world.i.version, world.i.sequence);
            let Ok(reaction) = world.input(input) else { continue };
            let grown = world.i.sequence - before.1;
            prop_assert_eq!(grown, reaction.events.len() as i64, "E2");
            prop_assert_eq!(world.i.version, before.0 + u64::from(reaction.changed));
            check(&world);
        }
    }

    /// S5: a fact that comes again changes nothing.
    #[test]
    fn a_repeated_fact_changes_nothing(mut world in worlds(), inputs in prop::collection::vec(inputs(), 0..40)) {
        world.fact(Fact::ClaimGranted(ClaimNo(1)));
        world.fact(Fact::LegUp(LegNo(2), None));
        let _ = world.command(1, Command::Accept(None));
        for input in inputs {
            let again = input.clone();
            let _ = world.input(input);
            if let Input::Fact(fact) = again {
                let version = world.i.version;
                world.fact(fact.clone());
                prop_assert_eq!(world.i.version, version, "S5: {:?}", fact);
            }
        }
    }

    /// T2, C4, C5: in silence, deadlines alone lead every interaction to its end, and no deadline leads nowhere.
    #[test]
    fn deadlines_alone_lead_to_the_end(mut world in worlds(), inputs in prop::collection::vec(inputs(), 0..40)) {
        world.fact(Fact::ClaimGranted(ClaimNo(1)));
        world.fact(Fact::LegUp(LegNo(2), None));
        let _ = world.command(1, Command::Accept(None));
        for input in inputs {
            let _ = world.input(input);
        }
        for _ in 0..40 {
            if world.i.ended() {
                break;
            }
            let version = world.i.version;
            world.tick_at_deadline();
            prop_assert!(world.i.version > version, "a deadline that changes nothing: {:?}", world.i);
            check(&world);
            prop_assert!(world.deadline().is_none_or(|at| at > world.now), "a deadline that does not move on");
        }
        prop_assert!(world.i.ended(), "T2: {:?}", world.i);
    }

    /// The stored form is the state.
    #[test]
    fn the_state_reads_back(mut world in worlds(), inputs in prop::collection::vec(inputs(), 0..40)) {
        for input in inputs {
            let _ = world.input(input);
        }
        let text = serde_json::to_string(&world.i).expect("it can be written");
        let back: baton_domain::Interaction = serde_json::from_str(&text).expect("it can be read");
        prop_assert_eq!(format!("{:?}", back), format!("{:?}", world.i));
    }
}
