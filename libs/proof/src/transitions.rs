//! The rules about how one world follows another.

use crate::{
    happening::Happening,
    invariants::{BUTTON_LIES, CUT_OFF_WHILE_RINGING, ENDS, HUNG_UP_BY_A_TRANSFER, LOST_AN_AGENT, REPEATED},
    world::World,
};
use baton_domain::{
    Actor, Command, Fact, Input, Policy,
    interaction::{HopOutcome, Interaction, Party, Stage},
    machine::OfferState,
    policy::CustomerMeanwhile,
};
use baton_words::{AgentId, LegNo, Reason};

/// What comes of a happening; none if that changes nothing. The likeness is not yet known.
pub(crate) fn follow(before: &World, happening: &Happening, policy: &Policy) -> Option<World> {
    let mut after = before.clone();
    match happening {
        Happening::ShortlyBefore(at_us) => after.now_us = at_us - 1,
        Happening::Deadline(at_us) => {
            after.now_us = *at_us;
            react(&mut after, policy, Input::Tick)?;
        }
        Happening::Input(input) => match react(&mut after, policy, input.clone()) {
            None if matches!(input, Input::Command(..)) => {
                return Some(World { broken: Some(BUTTON_LIES), ..before.clone() });
            }
            None => return None,
            Some(()) if matches!(input, Input::Fact(_)) && comes_again(&mut after, policy, input) => {
                after.broken = Some(REPEATED);
            }
            Some(()) => {}
        },
    }
    after.broken = after.broken.or_else(|| broken(before, happening, &after, policy));
    Some(after)
}

/// `None`: refused, or nothing has changed.
fn react(world: &mut World, policy: &Policy, input: Input) -> Option<()> {
    let command = matches!(input, Input::Command(..));
    let reaction = baton_domain::react(&mut world.interaction, policy, input, world.now_us).ok()?;
    (reaction.changed || command).then_some(())
}

fn comes_again(world: &mut World, policy: &Policy, input: &Input) -> bool {
    react(world, policy, input.clone()).is_some()
}

fn broken(before: &World, happening: &Happening, after: &World, policy: &Policy) -> Option<usize> {
    let (was, is) = (&before.interaction, &after.interaction);
    if hung_up_by_a_transfer(is) && !was.ended() {
        return Some(HUNG_UP_BY_A_TRANSFER);
    }
    if lost_an_agent(was, happening, is, policy) {
        return Some(LOST_AN_AGENT);
    }
    cut_off_while_ringing(was, is, after.now_us).then_some(CUT_OFF_WHILE_RINGING)
}

fn hung_up_by_a_transfer(is: &Interaction) -> bool {
    let talked = is.journey.iter().any(|hop| hop.outcome.to().is_some());
    matches!(is.stage, Stage::Ended(reason) if talked && !ENDS.contains(&reason))
}

/// The customer and at least two agents were there; one leaves or a deadline passes, and none is left.
fn lost_an_agent(was: &Interaction, happening: &Happening, is: &Interaction, policy: &Policy) -> bool {
    let customer_is_there = !is.customer().leg.is_over();
    let by_somebody =
        matches!(happening, Happening::Input(Input::Command(_, Command::End) | Input::Fact(Fact::SwitchLost)));
    if by_somebody || !customer_is_there || matches!(is.stage, Stage::Ended(Reason::Timeout)) {
        return false;
    }
    let gone = match happening {
        Happening::Input(Input::Command(Actor::Agent(agent), Command::Leave)) => Some(*agent),
        Happening::Input(Input::Fact(Fact::LegEnded(leg, _))) => agent_of(was, *leg),
        Happening::Deadline(_) => None,
        _ => return false,
    };
    // A cold transfer takes the customer away from everybody: that is what it is for.
    let cold = was.transfer.as_ref().and_then(|transfer| policy.method(transfer.kind));
    if cold.is_some_and(|method| method.customer == CustomerMeanwhile::Lobby) {
        return false;
    }
    let others = was.agents().filter(|party| party.agent_id() != gone).count();
    was.talking() && others > 0 && is.agents().next().is_none()
}

fn agent_of(i: &Interaction, leg: LegNo) -> Option<AgentId> {
    i.agents().find(|party| party.leg.no == leg).and_then(Party::agent_id)
}

/// T4: whether somebody answers is the switch's to say, for as long as their phone may ring.
fn cut_off_while_ringing(was: &Interaction, is: &Interaction, now_us: i64) -> bool {
    let Some(transfer) = &was.transfer else { return false };
    let rings = transfer.search().is_some_and(|search| {
        let may_ring = |state: OfferState| matches!(state, OfferState::Ringing { until_us, .. } if until_us > now_us);
        search.target.team().is_none() && search.offers.iter().any(|offer| may_ring(offer.state))
    });
    let timed_out = |outcome| {
        matches!(
            outcome,
            HopOutcome::Cancelled { reason: Reason::Timeout } | HopOutcome::Diverted { reason: Reason::Timeout, .. }
        )
    };
    rings
        && is.transfer.is_none()
        && is.journey.len() > was.journey.len()
        && is.journey.last().is_some_and(|hop| timed_out(hop.outcome))
}
