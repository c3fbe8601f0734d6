//! Where the customer is, with whom, and what must not happen to them.

use crate::{
    happening::Happening,
    invariants::{Checked, ensure},
    model::Proof,
    transitions::Transition,
    world::World,
};
use baton_domain::{
    Actor, Command, Fact, Input, Target,
    input::FlowEnd,
    interaction::{HopOutcome, Interaction, LegState, Stage},
    machine::TransferState,
    policy::{CustomerMeanwhile, Fallback, ReleaseMoment},
    project,
};
use baton_words::{DivertedTo, LegNo, Reason, Room, Treatment};

pub(crate) fn one_place(proof: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    let plan = project::plan(i, &proof.policy);
    if i.medium.is_written() {
        let wanted = plan.legs.is_empty() && plan.rooms.is_empty() && plan.exit.is_none() && plan.segment.is_none();
        return ensure(wanted && !i.held(), || {
            "a chat wants something of a switch, or its customer is held".to_owned()
        });
    }
    let own = i.customer().leg.no;
    let legs = plan.legs.iter().filter(|leg| leg.leg == own).count();
    let wanted = usize::from(!i.ended() && !matches!(i.customer().leg.state, LegState::Planned | LegState::Over));
    ensure(legs == wanted, || format!("the customer is wanted {legs} times instead of {wanted}"))?;
    for leg in &plan.legs {
        let no = leg.leg.0;
        ensure(plan.legs.iter().filter(|other| other.leg == leg.leg).count() == 1, || {
            format!("leg {no} is wanted twice")
        })?;
        if leg.leg == own {
            let first = plan.legs.first().is_some_and(|first| first.leg == own);
            ensure(first, || "telephony knows the customer by the first leg, which is somebody else's".to_owned())?;
            ensure(leg.room.is_some() != plan.exit.is_some(), || "the customer is in no place, or in two".to_owned())?;
        }
        if let Some(room) = leg.room {
            ensure(plan.treatment(room).is_some(), || format!("leg {no} is wanted in a room that there is not"))?;
        }
    }
    Ok(())
}

pub(crate) fn nobody_is_left_alone(_: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    let with_nobody = matches!(i.stage, Stage::Seeking(_) | Stage::Exiting(_));
    let somebody = i.agents().chain(i.externals()).next().is_some();
    ensure(!with_nobody || !somebody, || "the customer waits, although somebody is there".to_owned())
}

pub(crate) fn farewell_is_heard(proof: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    let Stage::Farewell { .. } = i.stage else { return Ok(()) };
    let plan = project::plan(i, &proof.policy);
    let heard = plan.announcement.is_some_and(|it| plan.legs.iter().any(|leg| leg.room == Some(it.room)));
    ensure(heard, || "nobody hears the announcement".to_owned())
}

pub(crate) fn served_by_somebody(_: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    ensure(i.service().is_none() || i.primary_party().is_some(), || "the customer is with nobody".to_owned())
}

pub(crate) fn hears_music_exactly_on_hold(proof: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    if i.service().is_none() || !i.customer().leg.is_up() || i.medium.is_written() {
        return Ok(());
    }
    let plan = project::plan(i, &proof.policy);
    let room = plan.room_of(i.customer().leg.no);
    let heard = room.and_then(|room| plan.treatment(room));
    if i.away() {
        let flow = plan.exit.is_some_and(|exit| exit.flow.is_some());
        return ensure(flow && !i.held(), || "the customer is away, and in no flow".to_owned());
    }
    if i.held() {
        let music = room == Some(Room::Hold) && heard == Some(Treatment::HoldMusic);
        return ensure(music, || "the customer is on hold and hears no music".to_owned());
    }
    let primary = i.primary_party().and_then(|party| plan.room_of(party.leg.no));
    let talks = room == Some(Room::Talk) && primary == room && heard == Some(Treatment::Conversation);
    ensure(talks, || "the customer is off hold and not with their agent".to_owned())
}

pub(crate) fn held_means_alone(proof: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    let plan = project::plan(i, &proof.policy);
    let own = i.customer().leg.no;
    let beside = plan.legs.iter().find(|leg| matches!(leg.room, Some(Room::Hold | Room::Lobby)) && leg.leg != own);
    ensure(beside.is_none(), || {
        format!("leg {} hears a customer who is held or waits", beside.map_or(LegNo(0), |leg| leg.leg).0)
    })
}

/// B406: the customer is away exactly while a round trip is open and its initiator is there, who has them and waits in private.
pub(crate) fn away_and_waited_for(proof: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    let waits = i.transfer.as_ref().filter(|open| {
        let comes_back = proof.policy.method(open.kind).is_some_and(|it| it.released == ReleaseMoment::Never);
        comes_back && i.primary() == Some(open.initiator.id)
    });
    ensure(i.away() == waits.is_some(), || "the customer is away without being waited for, or the reverse".to_owned())?;
    let Some(open) = waits else { return Ok(()) };
    let plan = project::plan(i, &proof.policy);
    let room = i.agent(open.initiator.id).and_then(|party| plan.room_of(party.leg.no));
    ensure(room == Some(Room::Consult) && plan.segment.is_none(), || "who waits is not in private".to_owned())
}

/// B305, B602: whom the initiator is not with is alone, and hears music; and nobody else is.
pub(crate) fn parked_means_alone(proof: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    if i.medium.is_written() {
        return Ok(());
    }
    let swapped = match i.transfer.as_ref().map(|transfer| &transfer.state) {
        Some(TransferState::Accepted { recipient } | TransferState::Swapped { recipient }) => {
            i.party(*recipient).map(|party| party.leg.no)
        }
        _ => None,
    };
    let plan = project::plan(i, &proof.policy);
    let parked = plan.legs.iter().filter(|leg| leg.room == Some(Room::Parked)).map(|leg| leg.leg);
    ensure(parked.eq(swapped), || "who waits is not who the initiator has left".to_owned())?;
    let music = plan.treatment(Room::Parked).is_none_or(|treatment| treatment == Treatment::HoldMusic);
    ensure(music, || "who waits hears no music".to_owned())
}

/// The reasons for which a call may end, by itself or by somebody's doing.
const ENDS: [Reason; 7] = [
    Reason::CustomerLeft,
    Reason::HungUp,
    Reason::Requested,
    Reason::Disconnected,
    Reason::Voicemail,
    Reason::Timeout,
    Reason::SwitchLost,
];

pub(crate) fn not_hung_up(step: &Transition<'_>) -> bool {
    let is = step.is();
    let talked = || is.journey.iter().any(|hop| hop.outcome.to().is_some());
    !matches!(is.stage, Stage::Ended(reason) if !ENDS.contains(&reason) && !step.was().ended() && talked())
}

/// The customer and at least two agents were there; one leaves or a deadline passes, and none is left.
pub(crate) fn keeps_another_agent(step: &Transition<'_>) -> bool {
    let (was, is) = (step.was(), step.is());
    if is.customer().leg.is_over() || is.agents().next().is_some() || matches!(is.stage, Stage::Ended(Reason::Timeout))
    {
        return true;
    }
    let gone = step.agent_who_goes();
    if gone.is_none() && !matches!(step.happening, Happening::Deadline(_)) {
        return true;
    }
    // A cold transfer takes the customer away from everybody: that is what it is for.
    let cold = was.transfer.as_ref().and_then(|transfer| step.policy.method(transfer.kind));
    if cold.is_some_and(|method| method.customer == CustomerMeanwhile::Lobby) {
        return true;
    }
    // Who is outside may have them instead, by what they were called for.
    if is.primary_party().is_some() {
        return true;
    }
    let others = was.agents().filter(|party| party.agent_id() != gone).count();
    !was.talking() || others == 0
}

pub(crate) fn goes_where_the_fallback_says(step: &Transition<'_>) -> bool {
    let (was, is) = (step.was(), step.is());
    let more_steps = was.flow.next < was.flow.steps.len();
    let diverted = was.transfer.as_ref().filter(|_| is.transfer.is_none()).zip(is.journey.last());
    if let Some((transfer, hop)) = diverted
        && let Some(method) = step.policy.method(transfer.kind)
        && let HopOutcome::Diverted { to, .. } = hop.outcome
    {
        let has_box = !was.flow.skip_voicemail && matches!(&transfer.target, Target::Agent(agent) if agent.voicemail);
        let first = method.offer.fallback.iter().find(|fallback| match fallback {
            Fallback::Voicemail => has_box,
            Fallback::NextStep => more_steps,
            Fallback::Disconnect => true,
        });
        let there = match to {
            DivertedTo::Voicemail => (Fallback::Voicemail, matches!(is.stage, Stage::Exiting(_))),
            DivertedTo::NextStep => (Fallback::NextStep, is.flow.next > was.flow.next),
            DivertedTo::Disconnect => (Fallback::Disconnect, is.ended()),
        };
        return first == Some(&there.0) && there.1;
    }
    // An IVR flow whose end is the end of the call is no fallback.
    if matches!(step.happening, Happening::Input(Input::Fact(Fact::FlowOver(_, FlowEnd::Ended, _)))) {
        return true;
    }
    let goes_on = more_steps && step.policy.interaction.orphan.contains(&Fallback::NextStep);
    !(goes_on && matches!(is.stage, Stage::Ended(Reason::Disconnected)) && !was.ended())
}

/// Then they are not hung up with the agent, but go where the fallback says.
pub(crate) fn not_hung_up_with_an_agent(step: &Transition<'_>) -> bool {
    let (was, is) = (step.was(), step.is());
    let matters = was.customer().leg.is_up() && (was.held() || was.transfer.is_some());
    !(matters && matches!(is.stage, Stage::Ended(Reason::HungUp)) && step.agent_who_goes().is_some())
}

impl Transition<'_> {
    /// The agent who leaves, or whose leg is over.
    pub(crate) fn agent_who_goes(&self) -> Option<baton_words::AgentId> {
        match self.happening {
            Happening::Input(Input::Command(Actor::Agent(agent), Command::Leave)) => Some(*agent),
            Happening::Input(Input::Fact(Fact::LegEnded(leg, _))) => agent_of(self.was(), *leg),
            _ => None,
        }
    }
}

fn agent_of(i: &Interaction, leg: LegNo) -> Option<baton_words::AgentId> {
    i.agents().find(|party| party.leg.no == leg).and_then(baton_domain::interaction::Party::agent_id)
}
