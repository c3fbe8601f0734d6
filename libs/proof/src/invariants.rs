//! What must always hold, each rule by its id. A policy is proved if none of them can break.

use crate::{
    happening::{actors, command_of},
    model::Proof,
    timers,
    world::{World, agent, number_of},
};
use baton_domain::{
    Action, Actor, Input, Policy,
    interaction::{Interaction, LegState, Party, Stage},
    machine::TransferState,
    permit, project,
};
use baton_words::{LegNo, Reason, Room};

/// A rule that must hold in every world.
#[derive(Debug, Clone, Copy)]
pub struct Invariant {
    /// Its id: `C1`.
    pub id: &'static str,
    /// What must hold, in one sentence.
    pub says: &'static str,
    /// What is wrong in a world; none for a rule about how one world follows another.
    pub(crate) check: Option<Check>,
}

/// What is wrong in this world.
type Checked = Result<(), String>;
type Check = fn(&Proof, &World) -> Checked;

const fn state(id: &'static str, says: &'static str, check: Check) -> Invariant {
    Invariant { id, says, check: Some(check) }
}

const fn transition(id: &'static str, says: &'static str) -> Invariant {
    Invariant { id, says, check: None }
}

pub(crate) const HUNG_UP_BY_A_TRANSFER: usize = 16;
pub(crate) const LOST_AN_AGENT: usize = 17;
pub(crate) const CUT_OFF_WHILE_RINGING: usize = 18;
pub(crate) const REPEATED: usize = 19;
pub(crate) const BUTTON_LIES: usize = 20;

/// All of them.
pub const INVARIANTS: [Invariant; 21] = [
    state("C1", "the customer is in exactly one place: a room that there is, or voicemail", one_place),
    state("C2", "nobody looks for an agent while one is there", nobody_is_left_alone),
    state("C3", "when the customer has left, everybody is released within 15 s", farewell_is_short),
    state("C4", "a customer who is on hold is somebody's, and that is an agent who is there", hold_is_somebodys),
    state("C5", "a deadline is armed until it is over", a_deadline_is_armed),
    state(
        "C5",
        "somebody present may take the customer off hold or end the transfer, or a deadline will",
        nobody_is_stuck,
    ),
    state("C6", "a customer who is held, or waits, hears nobody and is heard by nobody", held_means_alone),
    state("T2", "deadlines alone lead every transfer and every hold to its end", deadlines_lead_to_the_end),
    state("T2", "who has taken over is with the customer within 30 s, or the transfer is over", handing_over_is_short),
    state("T5", "when it is over no leg, claim, recording or wait is left", nothing_is_left),
    state("T6", "what nobody is told that they may do is refused, and a refusal changes nothing", others_are_refused),
    state("A1", "no agent is claimed twice", nobody_is_claimed_twice),
    state("A5", "who declines is asked again twenty times at most", nobody_is_asked_for_ever),
    state("R1", "only the customer's talk with an agent is recorded, and not during a pause", only_talk_is_recorded),
    state("R2", "while nobody has the customer it is nobody's turn to be recorded", nobodys_tenure),
    state("R2", "a tenure is that of an agent who is there", tenure_of_the_present),
    transition("C2", "a transfer never hangs up the customer, unless its last fallback says so"),
    transition("C2", "a customer never loses the last agents who are with them because another one leaves, or is late"),
    transition("T4", "no phase ends while a phone may still ring"),
    transition("S5", "a fact that comes again changes nothing"),
    transition("T6", "what somebody is told that they may do is accepted from them"),
];

fn ensure(holds: bool, why: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(why()) }
}

fn one_place(proof: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    let plan = project::plan(i, &proof.policy);
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
            ensure(leg.room.is_some() != plan.exit.is_some(), || "the customer is in no place, or in two".to_owned())?;
        }
        if let Some(room) = leg.room {
            ensure(plan.treatment(room).is_some(), || format!("leg {no} is wanted in a room that there is not"))?;
        }
    }
    Ok(())
}

fn nobody_is_left_alone(_: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    let with_nobody = matches!(i.stage, Stage::Seeking(_) | Stage::Exiting(_));
    ensure(!with_nobody || i.agents().next().is_none(), || "the customer waits, although an agent is there".to_owned())
}

fn farewell_is_short(_: &Proof, world: &World) -> Checked {
    let Stage::Farewell { until_us, .. } = world.interaction.stage else { return Ok(()) };
    let left_us = until_us - world.now_us;
    ensure(left_us <= 15_000_000, || format!("agents may be kept for another {} s", left_us / 1_000_000))
}

fn hold_is_somebodys(_: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    ensure(!i.held() || i.primary().is_some(), || "the customer is on hold for nobody".to_owned())
}

fn a_deadline_is_armed(proof: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    let deadline = project::deadline(i, &proof.policy);
    ensure(deadline.is_none() == i.ended(), || "it is not over, and no deadline is armed".to_owned())?;
    ensure(deadline.is_none_or(|at_us| at_us > world.now_us), || "a deadline has passed and changed nothing".to_owned())
}

/// A deadline that is further away is no way out of a hold or a queue.
const SOON_US: i64 = 3_600_000_000;

fn nobody_is_stuck(proof: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    let apart = i.held() || i.transfer.is_some() || matches!(i.stage, Stage::Seeking(_));
    let soon = timers::armed(i, &proof.policy).iter().any(|at_us| at_us - world.now_us <= SOON_US);
    if !apart || soon {
        return Ok(());
    }
    let ways_out = [Action::Resume, Action::Cancel, Action::Complete, Action::End];
    let may = |party: &Party| {
        party.agent_id().is_some_and(|agent| {
            let allowed = permit::allowed(i, &proof.policy, &Actor::Agent(agent));
            ways_out.iter().any(|way| allowed.contains(*way))
        })
    };
    ensure(i.agents().any(may), || {
        "nobody who is there may do anything about it, nor will a deadline within an hour".to_owned()
    })
}

fn held_means_alone(proof: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    let plan = project::plan(i, &proof.policy);
    let own = i.customer().leg.no;
    let beside = plan.legs.iter().find(|leg| matches!(leg.room, Some(Room::Hold | Room::Lobby)) && leg.leg != own);
    ensure(beside.is_none(), || {
        format!("leg {} hears a customer who is held or waits", beside.map_or(LegNo(0), |leg| leg.leg).0)
    })
}

/// So many deadlines in a row lead somewhere, hold reminders among them; more go round in a circle.
const MOST_DEADLINES: usize = 200;

fn deadlines_lead_to_the_end(proof: &Proof, world: &World) -> Checked {
    let open = |i: &Interaction| (i.transfer.as_ref().map(|transfer| transfer.no), i.held());
    let (mut trial, mut now_us) = (world.interaction.clone(), world.now_us);
    let begun = open(&trial);
    if begun == (None, false) {
        return Ok(());
    }
    for _ in 0..MOST_DEADLINES {
        if open(&trial) != begun || trial.ended() {
            return Ok(());
        }
        let Some(at_us) = project::deadline(&trial, &proof.policy) else { return Ok(()) };
        ensure(at_us > now_us, || "a deadline has passed and does not move on".to_owned())?;
        now_us = at_us;
        let changed = tick(&mut trial, &proof.policy, now_us);
        ensure(changed, || "a deadline has passed and changed nothing".to_owned())?;
    }
    Err(format!("after {MOST_DEADLINES} deadlines, one after the other, it is still so"))
}

fn tick(interaction: &mut Interaction, policy: &Policy, now_us: i64) -> bool {
    baton_domain::react(interaction, policy, Input::Tick, now_us).is_ok_and(|reaction| reaction.changed)
}

fn handing_over_is_short(proof: &Proof, world: &World) -> Checked {
    let Some(transfer) = &world.interaction.transfer else { return Ok(()) };
    let (TransferState::HandingOver { .. }, Some(method)) = (&transfer.state, proof.policy.method(transfer.kind))
    else {
        return Ok(());
    };
    let left_us = transfer.deadline_us(method, &proof.policy.interaction) - world.now_us;
    ensure(left_us <= 30_000_000, || format!("it may take another {} s", left_us / 1_000_000))
}

fn nothing_is_left(proof: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    if !i.ended() {
        return Ok(());
    }
    let plan = project::plan(i, &proof.policy);
    ensure(plan.legs.is_empty() && plan.segment.is_none(), || "a leg or a recording is still wanted".to_owned())?;
    ensure(project::claims(i).wanted.is_empty(), || "an agent is still claimed".to_owned())?;
    ensure(project::wait(i).is_none() && i.transfer.is_none(), || "somebody is still looked for".to_owned())
}

fn others_are_refused(proof: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    let mut trial = i.clone();
    let open = i.transfer.as_ref().map(|transfer| transfer.no);
    let everybody = actors(&proof.bound).chain([Actor::Customer, Actor::External, Actor::Agent(agent(u8::MAX - 1).id)]);
    for actor in everybody {
        let shown = permit::allowed(i, &proof.policy, &actor);
        for action in Action::ALL.into_iter().filter(|action| !shown.contains(*action)) {
            let input = Input::Command(actor.clone(), command_of(action, open));
            let refused = baton_domain::react(&mut trial, &proof.policy, input, world.now_us).is_err();
            ensure(refused, || format!("{actor:?} may {action} without being told"))?;
        }
    }
    ensure(trial == *i, || "a refusal has changed something".to_owned())
}

fn nobody_is_claimed_twice(_: &Proof, world: &World) -> Checked {
    let wanted = project::claims(&world.interaction).wanted;
    for (at, claim) in wanted.iter().enumerate() {
        let once = wanted[..at].iter().all(|other| other.agent != claim.agent);
        ensure(once, || format!("agent {} is claimed twice", number_of(claim.agent)))?;
    }
    Ok(())
}

fn nobody_is_asked_for_ever(proof: &Proof, world: &World) -> Checked {
    let transfer = world.interaction.transfer.as_ref().filter(|transfer| transfer.target.team().is_some());
    let Some(offer) = transfer.and_then(|transfer| proof.policy.method(transfer.kind)).map(|method| &method.offer)
    else {
        return Ok(());
    };
    let times = offer.wait_ms.checked_div(offer.again_after_ms).unwrap_or_default();
    ensure(times <= 20, || format!("somebody may be asked {times} times"))
}

fn only_talk_is_recorded(proof: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    let plan = project::plan(i, &proof.policy);
    if plan.segment.is_none() {
        return Ok(());
    }
    let own = i.customer().leg.no;
    ensure(plan.room_of(own) == Some(Room::Talk), || "recorded although the customer is not in the talk".to_owned())?;
    let somebody = plan.legs.iter().any(|leg| leg.leg != own && leg.room == Some(Room::Talk));
    ensure(somebody, || "recorded although the customer is alone".to_owned())?;
    ensure(!i.recorder.paused, || "recorded although it is paused".to_owned())
}

fn nobodys_tenure(_: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    let nobody = i.recorder.tenure.is_none() && i.recorder.gap.is_none();
    ensure(i.primary().is_some() || nobody, || "it is somebody's turn".to_owned())
}

fn tenure_of_the_present(_: &Proof, world: &World) -> Checked {
    let recorder = &world.interaction.recorder;
    let running = recorder.tenure.filter(|_| recorder.current.is_some());
    let all = running.into_iter().chain(recorder.suspended.iter().map(|suspended| suspended.tenure));
    for tenure in all {
        let here = world.interaction.agent(tenure.agent).is_some();
        ensure(here, || format!("agent {} is not there any more", number_of(tenure.agent)))?;
    }
    Ok(())
}

/// The reasons for which a call may end, by itself or by somebody's doing.
pub(crate) const ENDS: [Reason; 7] = [
    Reason::CustomerLeft,
    Reason::HungUp,
    Reason::Requested,
    Reason::Disconnected,
    Reason::Voicemail,
    Reason::Timeout,
    Reason::SwitchLost,
];
