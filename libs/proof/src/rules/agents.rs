//! Agents: who is claimed, rung, skipped and asked again.

use crate::{
    happening::Happening,
    invariants::{Checked, ensure},
    model::Proof,
    transitions::Transition,
    world::{World, number_of},
};
use baton_domain::{
    Command, Input,
    interaction::{Closing, Interaction, Party},
    machine::{OfferState, Search},
    project,
};
use baton_words::AgentId;

pub(crate) fn nothing_is_left(proof: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    if !i.ended() {
        return Ok(());
    }
    let plan = project::plan(i, &proof.policy);
    ensure(plan.legs.is_empty() && plan.segment.is_none(), || "a leg or a recording is still wanted".to_owned())?;
    ensure(project::claims(i).wanted.is_empty(), || "an agent is still claimed".to_owned())?;
    ensure(project::wait(i).is_none() && i.transfer.is_none(), || "somebody is still looked for".to_owned())
}

pub(crate) fn nobody_is_claimed_twice(_: &Proof, world: &World) -> Checked {
    let wanted = project::claims(&world.interaction).wanted;
    for (at, claim) in wanted.iter().enumerate() {
        let once = wanted[..at].iter().all(|other| other.agent != claim.agent);
        ensure(once, || format!("agent {} is claimed twice", number_of(claim.agent)))?;
    }
    Ok(())
}

pub(crate) fn claimed_while_rung(proof: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    let (plan, wanted) = (project::plan(i, &proof.policy), project::claims(i).wanted);
    for agent in i.agents().filter_map(Party::agent_id) {
        let engaged = wanted.iter().any(|claim| claim.agent == agent && claim.reservation.is_none());
        ensure(engaged, || format!("agent {} is there, and not claimed", number_of(agent)))?;
    }
    let written = i.medium.is_written();
    let silence_us = if written { 0 } else { proof.policy.interaction.ring_silence_ms * 1000 };
    for offer in i.search().iter().flat_map(|search| &search.offers) {
        let no = number_of(offer.agent.id);
        let reserved = wanted.iter().find(|claim| claim.claim == offer.claim && claim.agent == offer.agent.id);
        let until_us = reserved.and_then(|claim| claim.reservation.as_ref()).map(|it| it.until_us);
        let OfferState::Ringing { leg, until_us: ring_until_us, .. } = offer.state else {
            ensure(until_us.is_some(), || format!("agent {no} is asked for, and not claimed"))?;
            continue;
        };
        let long_enough = until_us.is_some_and(|until_us| until_us > ring_until_us + silence_us);
        ensure(long_enough, || format!("agent {no} is not reserved for as long as their phone may ring"))?;
        let rings =
            written || plan.legs.iter().any(|planned| planned.leg == leg && planned.ring_until_us == ring_until_us);
        ensure(rings, || format!("the phone of agent {no} is not rung"))?;
    }
    let here = i.agents().count() + i.search().map_or(0, |search| search.offers.len());
    ensure(wanted.len() == here, || "somebody is claimed who is neither there nor asked for".to_owned())
}

pub(crate) fn ringing_is_in_no_room(proof: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    let Some(search) = i.search().filter(|search| search.ringing()) else { return Ok(()) };
    let plan = project::plan(i, &proof.policy);
    let in_a_room = search
        .offers
        .iter()
        .any(|offer| matches!(offer.state, OfferState::Ringing { leg, .. } if plan.room_of(leg).is_some()));
    let in_a_room = in_a_room || search.outside.is_some_and(|call| plan.room_of(call.leg).is_some());
    ensure(!in_a_room, || "a phone that rings has a room already".to_owned())
}

pub(crate) fn nobody_is_asked_for_ever(proof: &Proof, world: &World) -> Checked {
    let transfer = world.interaction.transfer.as_ref().filter(|transfer| transfer.target.pool().is_some());
    let Some(offer) = transfer.and_then(|transfer| proof.policy.method(transfer.kind)).map(|method| &method.offer)
    else {
        return Ok(());
    };
    let times = offer.wait_ms.checked_div(offer.again_after_ms).unwrap_or_default();
    ensure(times <= 20, || format!("somebody may be asked {times} times"))
}

/// Nobody gets back what they hand over, either.
pub(crate) fn the_skipped_are_not_asked(_: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    let Some(search) = i.search() else { return Ok(()) };
    let initiator =
        i.transfer.as_ref().map(|transfer| transfer.initiator.id).filter(|_| search.target.pool().is_some());
    let skipped = search.skip.iter().map(|skipped| skipped.agent);
    let out: Vec<AgentId> = skipped.chain(i.agents().filter_map(Party::agent_id)).chain(initiator).collect();
    let asked = search.offers.iter().map(|offer| offer.agent.id).find(|agent| out.contains(agent));
    ensure(asked.is_none(), || format!("agent {} is asked all the same", asked.map_or(0, number_of)))?;
    let Some(wait) = project::wait(i) else { return Ok(()) };
    let proposed = out.into_iter().find(|agent| !wait.skip.contains(agent));
    ensure(proposed.is_none(), || format!("agent {} may be proposed all the same", proposed.map_or(0, number_of)))
}

/// A search of which both worlds know: for the same transfer, or the same step of the call flow.
fn goes_on<'a>(was: &'a Interaction, is: &'a Interaction) -> Option<(&'a Search, &'a Search)> {
    let same = was.flow.next == is.flow.next
        && was.transfer.as_ref().map(|transfer| transfer.no) == is.transfer.as_ref().map(|transfer| transfer.no);
    was.search().filter(|_| same).zip(is.search())
}

pub(crate) fn redialled_in_time(step: &Transition<'_>) -> bool {
    let Some((was, is)) = goes_on(step.was(), step.is()) else { return true };
    is.offers.iter().all(|offer| {
        let before = was.offers.iter().find(|before| before.claim == offer.claim);
        let Some(OfferState::Ringing { leg, until_us, .. }) = before.map(|before| before.state) else { return true };
        let OfferState::Ringing { leg: own, until_us: own_until_us, .. } = offer.state else { return false };
        let dialled_anew = before.is_some_and(|before| before.redials != offer.redials);
        until_us == own_until_us && dialled_anew == (leg != own)
    })
}

pub(crate) fn claims_end_with_a_reason(step: &Transition<'_>) -> bool {
    if !step.changed() {
        return true;
    }
    let (was, is) = (project::claims(step.was()), project::claims(step.is()));
    was.wanted.iter().all(|claim| {
        is.wanted.iter().any(|still| still.claim == claim.claim)
            || is.released.iter().any(|over| over.claim == claim.claim && over.agent == claim.agent)
    })
}

/// Who was only asked or rung has nothing to wrap up. What is kept of claims that are over is limited: a late disposition brings one back that was
/// forgotten, so that presence hears of it.
pub(crate) fn wrap_up_as_the_policy_says(step: &Transition<'_>) -> bool {
    let (was, is) = (project::claims(step.was()), project::claims(step.is()));
    let disposes = match step.happening {
        Happening::Input(Input::Command(actor, Command::Disposition(_))) => actor.agent(),
        _ => None,
    };
    let new = is.released.iter().filter(|over| !was.released.iter().any(|before| before.claim == over.claim));
    new.into_iter().all(|over| {
        if disposes == Some(over.agent) && step.was().participations.iter().any(|own| own.claim == over.claim) {
            return over.wrap_up_ms == 0 && over.closing == Closing::Done;
        }
        let served = was.wanted.iter().any(|claim| claim.claim == over.claim && claim.reservation.is_none());
        let house = &step.policy.interaction;
        let (due_ms, owed) = if served { (house.wrap_up_ms, house.needs_disposition) } else { (0, false) };
        over.wrap_up_ms == due_ms && over.closing == if owed { Closing::Due } else { Closing::Free }
    })
}

/// But for a command of their own, nobody's mute changes while they are there.
pub(crate) fn each_mutes_themselves(step: &Transition<'_>) -> bool {
    let own = match step.happening {
        Happening::Input(Input::Command(actor, Command::SetMute(_))) => actor.agent(),
        _ => None,
    };
    let others = step.was().agents().filter(|party| party.agent_id() != own);
    others.into_iter().all(|party| step.is().party(party.no).is_none_or(|still| still.muted == party.muted))
}

pub(crate) fn who_declined_is_skipped(step: &Transition<'_>) -> bool {
    let Some((was, is)) = goes_on(step.was(), step.is()) else { return true };
    let rang = |state: OfferState| matches!(state, OfferState::Ringing { .. });
    let over =
        was.offers.iter().filter(|offer| rang(offer.state) && !is.offers.iter().any(|it| it.claim == offer.claim));
    let skipped = |agent: AgentId| is.skip.iter().any(|skipped| skipped.agent == agent);
    // From whom it is taken because it waits in another queue now has not declined.
    let overflows = was.target.pool() != is.target.pool();
    overflows || is.target.pool().is_none() || over.into_iter().all(|offer| skipped(offer.agent.id))
}

pub(crate) fn place_is_kept(step: &Transition<'_>) -> bool {
    let time = matches!(step.happening, Happening::ShortlyBefore(_));
    time || goes_on(step.was(), step.is()).filter(|(was, _)| was.target.pool().is_some()).is_none_or(|(was, is)| {
        // Another queue has a time of its own, and is entered anew.
        let overflows = was.target.pool() != is.target.pool();
        was.since_us == is.since_us && (overflows || was.until_us == is.until_us && was.entered <= is.entered)
    })
}
