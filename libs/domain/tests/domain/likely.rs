//! Likely inputs: what the plan, the claims and the buttons suggest at this moment. Inputs drawn blindly seldom get as far as a second transfer
//! with everybody still there; these do.

use crate::{
    invariants::{check, check_placed},
    random::pressed,
    world::{SECOND, World, agent, by, flow, goes_outside, outcome, outside, policy, queue, ring, supervisor, team},
};
use baton_domain::{
    Action, Actor, Command, Fact, Input, OutsideSort, StartTransfer, Target,
    input::FlowEnd,
    machine::{FlowStep, OfferState},
    policy::PROFILES,
    project,
};
use baton_words::{ExitOutcome, LegNo, Reason, RecordingMode, TransferKind};
use proptest::prelude::*;

/// Picks one of several.
struct Dice(u32);

impl Dice {
    fn of(&mut self, sides: usize) -> usize {
        let side = self.0 as usize % sides;
        self.0 = (self.0 / sides as u32) ^ self.0.rotate_left(7).wrapping_mul(0x9E37_79B9);
        side
    }

    fn seldom(&mut self) -> bool {
        self.of(4) == 0
    }
}

/// One likely thing happens, if there is one of that sort.
fn act(world: &mut World, dice: &mut Dice) {
    match dice.of(16) {
        0..=2 => world.place(),
        3 => world.grant(),
        4 => claim(world, dice),
        5..=7 => phone(world, dice),
        8 => propose(world, dice),
        9 if dice.seldom() => world.tick_at_deadline(),
        10 if dice.seldom() => agent_gone(world, dice),
        11 if dice.seldom() && world.i.medium.is_written() => {
            drop(world.input(Input::Command(Actor::Customer, Command::Leave)));
        }
        11 if dice.seldom() => world.customer_hangs_up(),
        12 if world.plan().exit.is_some() => exit(world, dice),
        _ => button(world, dice),
    }
}

/// The exit that the customer is in goes on, or is over.
fn exit(world: &mut World, dice: &mut Dice) {
    let Some(exit) = world.plan().exit else { return };
    let data = || pressed(dice.0 as usize % 4);
    let ends = [FlowEnd::Returned, FlowEnd::Ended, FlowEnd::Transferred(2), FlowEnd::Left, FlowEnd::Unknown];
    let (data, end) = (data(), ends[dice.of(5)]);
    world.fact(match exit.flow {
        None => Fact::ExitOver(exit.exit, ExitOutcome::Returned),
        Some(_) if dice.seldom() => Fact::InFlow(exit.exit, data),
        Some(_) => Fact::FlowOver(exit.exit, end, data),
    });
}

/// Presence answers for a claim: the agent is reserved, or in another call and waited for.
fn claim(world: &mut World, dice: &mut Dice) {
    let claims: Vec<_> =
        world.i.search().into_iter().flat_map(|search| &search.offers).map(|offer| offer.claim).collect();
    if !claims.is_empty() {
        let claim = claims[dice.of(claims.len())];
        world.fact(if dice.seldom() { Fact::ClaimGranted(claim) } else { Fact::ClaimQueued(claim) });
    }
}

/// A phone that rings is answered, or is not.
fn phone(world: &mut World, dice: &mut Dice) {
    let ringing =
        world.i.search().into_iter().flat_map(|search| &search.offers).filter_map(|offer| match offer.state {
            OfferState::Ringing { leg, .. } => Some(leg),
            OfferState::Claiming { .. } | OfferState::Queued { .. } => None,
        });
    let mut legs: Vec<_> = ringing.collect();
    legs.extend(world.i.customer().leg.is_ringing().then_some(LegNo(1)));
    legs.extend(world.i.search().and_then(|search| search.outside).map(|call| call.leg));
    if legs.is_empty() {
        return;
    }
    let leg = legs[dice.of(legs.len())];
    let ended = [Reason::HungUp, Reason::NoAnswer, Reason::Unreachable][dice.of(3)];
    world.fact(if dice.seldom() { Fact::LegEnded(leg, ended) } else { Fact::LegUp(leg, None) });
}

fn propose(world: &mut World, dice: &mut Dice) {
    let Some(wait) = project::wait(&world.i) else { return };
    let first = 2 + dice.of(3) as u128;
    let both = dice.seldom().then(|| agent(if first == 2 { 3 } else { 2 }));
    let agents = [agent(first)].into_iter().chain(both).filter(|agent| !wait.skip.contains(&agent.id)).collect();
    world.fact(Fact::Proposed(wait.wait, agents));
}

fn agent_gone(world: &mut World, dice: &mut Dice) {
    let legs: Vec<_> = world.i.agents().chain(world.i.externals()).map(|party| party.leg.no).collect();
    if !legs.is_empty() {
        let leg = legs[dice.of(legs.len())];
        world.fact(Fact::LegEnded(leg, [Reason::HungUp, Reason::Unreachable][dice.of(2)]));
    }
}

/// Somebody presses a button that they are shown.
fn button(world: &mut World, dice: &mut Dice) {
    let actor = match dice.of(11) {
        0 => supervisor(),
        1 => Actor::Customer,
        _ => by(1 + dice.of(4) as u128),
    };
    let dull = [Action::Note, Action::SetData, Action::End, Action::SendMessage];
    let buttons: Vec<_> = world.allowed(&actor).iter().filter(|action| !dull.contains(action)).collect();
    if buttons.is_empty() {
        return;
    }
    let pressed = match buttons[dice.of(buttons.len())] {
        Action::Start(kind) => {
            let target = match dice.of(9) {
                _ if kind == TransferKind::RoundTrip => flow(dice.of(3) == 0),
                0 => team(),
                1 => queue(),
                2 => outside(OutsideSort::Typed),
                3 => outside(OutsideSort::Forwarding),
                4 => flow(dice.of(3) == 0),
                _ => Target::Agent(agent(1 + dice.of(4) as u128)),
            };
            Command::Start(StartTransfer { kind, target, message: "as agreed".into(), outcome: outcome(&world.policy) })
        }
        action => world.command_of(action),
    };
    // Only the target may be refused: it may be in the call already.
    let _ = world.input(Input::Command(actor, pressed));
}

fn worlds() -> impl Strategy<Value = World> {
    (0..PROFILES.len(), any::<bool>(), 0..7u8, any::<bool>()).prop_map(|(profile, all, placed, outside_too)| {
        let mode = if all { RecordingMode::All } else { RecordingMode::Manual };
        // Who goes outside by its policy, and each of the others as one that a tenant lets go outside.
        let policy =
            if outside_too { goes_outside(PROFILES[profile].name) } else { policy(PROFILES[profile].name, "") };
        if placed == 0 {
            return World::placed(policy, mode);
        }
        let Target::Team { id, name } = team() else { unreachable!("a team") };
        let ring_team = FlowStep::RingTeam { team: id, name, ring_ms: 10_000, wait_ms: 60_000 };
        if placed > 4 {
            let mut world = World::chat(policy, vec![ring(1), ring_team]);
            world.grant();
            world.accept(1);
            return world;
        }
        let mut world = World::new(policy, mode, vec![ring(1), ring_team]);
        world.grant();
        world.answer(1);
        world
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every invariant holds, and once telephony has done what the plan says, nothing hangs.
    #[test]
    fn invariants_hold_over_likely_inputs(mut world in worlds(), rolls in prop::collection::vec(any::<u32>(), 0..40)) {
        for roll in rolls {
            if world.i.ended() {
                break;
            }
            world.pass(SECOND);
            act(&mut world, &mut Dice(roll));
            check(&world);
            check_placed(world.clone());
        }
    }
}
