//! Transfers: who has the customer while one is open, and what it leaves behind.

use crate::{
    happening::Happening,
    invariants::{Checked, ensure},
    model::Proof,
    transitions::Transition,
    world::World,
};
use baton_domain::{
    Command, Fact, Input, Target, Transfer,
    interaction::{Hop, HopOutcome, Interaction, Stage},
    machine::{OfferState, TransferState},
    policy::{
        AfterFailure, AnsweredWhileResumed, ConsultCustomerGone, ConsultRules, Ending, HoldAfterComplete, Method,
        PhaseRules, QueueSuccess, ReleaseMoment,
    },
};
use baton_words::{LegNo, Reason, Room, TargetSort, TransferNo};

pub(crate) fn initiator_is_released(proof: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    let Some(transfer) = &i.transfer else { return Ok(()) };
    let Some(method) = proof.policy.method(transfer.kind) else { return Ok(()) };
    if transfer.state == TransferState::Away {
        let waits = method.released == ReleaseMoment::Never;
        return ensure(waits || i.agent(transfer.initiator.id).is_none(), || "the initiator is still there".to_owned());
    }
    let Some(search) = transfer.search() else { return Ok(()) };
    let ringing = search.ringing();
    let is_time = match method.released {
        // B404: a queue counts from when it was entered, or an answer does.
        ReleaseMoment::Enqueued | ReleaseMoment::Reserved if search.target.queue().is_some() => {
            method.queue_success == QueueSuccess::Enqueued && (ringing || search.entered)
        }
        ReleaseMoment::Enqueued => ringing || search.entered,
        ReleaseMoment::Reserved => ringing,
        ReleaseMoment::Answered | ReleaseMoment::Committed | ReleaseMoment::Never => false,
    };
    ensure(!is_time || i.agent(transfer.initiator.id).is_none(), || "the initiator is still there".to_owned())
}

/// What the policy says of the phase in which a transfer is; nothing once the recipient has taken over.
pub(crate) fn phase_rules<'a>(open: &Transfer, method: &'a Method) -> Option<&'a PhaseRules> {
    match (&open.state, &method.consult) {
        (
            TransferState::Consulting { .. } | TransferState::Accepted { .. } | TransferState::Swapped { .. },
            Some(consult),
        ) => Some(&consult.consulting),
        (TransferState::Joined { .. }, Some(consult)) => Some(&consult.joined),
        (TransferState::Seeking(_), _) => Some(&method.offered),
        (TransferState::Away, _) => method.away.as_ref(),
        _ => None,
    }
}

/// A phase that begins with this step ends when its own time is over, however long the transfer has taken.
pub(crate) fn phases_begin_with_all_their_time(step: &Transition<'_>) -> bool {
    let Some(open) = &step.is().transfer else { return true };
    let before = step.was().transfer.as_ref().filter(|before| before.no == open.no);
    if before.is_some_and(|before| std::mem::discriminant(&before.state) == std::mem::discriminant(&open.state)) {
        return true;
    }
    let house = &step.policy.interaction;
    step.policy.method(open.kind).is_some_and(|method| {
        let max_ms = phase_rules(open, method).map_or(house.hand_over_ms, |rules| rules.max_ms);
        open.deadline_us(method, house) == step.after.now_us + max_ms * 1000
    })
}

/// The initiator leaves, or the time of a consult or a three-way is over, and nothing else is at that moment.
pub(crate) fn phases_end_as_the_policy_says(step: &Transition<'_>) -> bool {
    let (was, is) = (step.was(), step.is());
    let Some(open) = was.transfer.as_ref().filter(|open| open.is_undecided()) else { return true };
    let Some(method) = step.policy.method(open.kind) else { return true };
    let Some(rules) = phase_rules(open, method) else { return true };
    let ending = match step.happening {
        Happening::Deadline(at_us) => {
            let is_it = *at_us == open.deadline_us(method, &step.policy.interaction) && open.recipient().is_some();
            is_it.then_some(rules.on_timeout)
        }
        _ => step.agent_who_goes().filter(|agent| *agent == open.initiator.id).map(|_| rules.initiator_leaves),
    };
    let outcome = || closed(step).map(|(_, hop)| hop.outcome);
    match ending {
        Some(Ending::Complete) => is_decided(is, open.no) || outcome().is_some_and(HopOutcome::reached),
        // In a flow the customer is with nobody, and goes where the fallback says.
        Some(Ending::Cancel) if open.state == TransferState::Away => {
            matches!(outcome(), Some(HopOutcome::Diverted { .. }))
        }
        Some(Ending::Cancel) => matches!(outcome(), Some(HopOutcome::Cancelled { .. })),
        Some(Ending::Continue) => is_open(is, open.no),
        None => true,
    }
}

fn is_decided(i: &Interaction, no: TransferNo) -> bool {
    i.transfer.as_ref().is_some_and(|open| open.no == no && !open.is_undecided())
}

pub(crate) fn answer_keeps_the_hold(step: &Transition<'_>) -> bool {
    let Happening::Input(Input::Fact(Fact::LegUp(leg, _))) = step.happening else { return true };
    let (was, is) = (step.was(), step.is());
    let consulted = || is.transfer.as_ref().is_some_and(Transfer::is_undecided);
    !was.held() || is.held() || !(rings(was, *leg) && consulted())
}

/// B305, B309: where the policy has the recipient wait, their answer changes nothing for a customer who is with the initiator.
pub(crate) fn answer_leaves_the_customer(step: &Transition<'_>) -> bool {
    let Happening::Input(Input::Fact(Fact::LegUp(leg, _))) = step.happening else { return true };
    let (was, is) = (step.was(), step.is());
    let Some(open) = was.transfer.as_ref().filter(|open| is_open(is, open.no) && rings(was, *leg)) else { return true };
    let consult = step.policy.method(open.kind).and_then(|method| method.consult.as_ref());
    let waits = consult.is_some_and(|rules| rules.answered_while_resumed == AnsweredWhileResumed::Wait);
    let with_initiator = was.primary() == Some(open.initiator.id) && !was.held();
    let state = is.transfer.as_ref().map(|transfer| &transfer.state);
    !(waits && with_initiator)
        || matches!(state, Some(TransferState::Accepted { .. })) && is.primary() == was.primary() && !is.held()
}

fn rings(i: &Interaction, leg: LegNo) -> bool {
    if i.search().and_then(|search| search.outside).is_some_and(|call| call.leg == leg) {
        return true;
    }
    let offers = i.search().into_iter().flat_map(|search| &search.offers);
    offers.into_iter().any(|offer| matches!(offer.state, OfferState::Ringing { leg: own, .. } if own == leg))
}

pub(crate) fn consult_means_hold(_: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    // B309: those who write are apart without a hold.
    if i.medium.is_written() {
        return ensure(!i.held(), || "a customer who writes is on hold".to_owned());
    }
    match i.transfer.as_ref().map(|transfer| &transfer.state) {
        Some(TransferState::Consulting { .. }) => ensure(i.held(), || "the customer hears the consult".to_owned()),
        Some(TransferState::Joined { .. } | TransferState::Accepted { .. } | TransferState::Swapped { .. }) => {
            ensure(!i.held(), || "the customer is still on hold".to_owned())
        }
        _ => Ok(()),
    }
}

/// The customer who was taken off hold while it was open stays so, unless somebody, or an answer where the policy says it, puts them on hold.
pub(crate) fn off_hold_stays_off(step: &Transition<'_>) -> bool {
    let (was, is) = (step.was(), step.is());
    let Some(open) = &was.transfer else { return true };
    let resumed = is.transfer.as_ref().filter(|it| it.no == open.no).map(|it| it.resumed);
    match step.happening {
        Happening::Input(Input::Command(_, Command::Resume)) => resumed != Some(false),
        Happening::Input(Input::Command(_, Command::Hold)) => resumed != Some(true),
        Happening::Input(Input::Command(_, Command::Swap(_))) => resumed == Some(!is.held()),
        _ => {
            let consult = step.policy.method(open.kind).and_then(|method| method.consult.as_ref());
            let again = consult.is_some_and(|rules| rules.answered_while_resumed == AnsweredWhileResumed::Hold);
            again || !open.resumed || was.held() || !is.held()
        }
    }
}

/// The transfer that was open and is not any more, with its hop.
fn closed<'a>(step: &'a Transition<'_>) -> Option<(&'a Transfer, &'a Hop)> {
    let open = step.was().transfer.as_ref().filter(|open| !is_open(step.is(), open.no))?;
    let since = step.is().journey.get(step.was().journey.len()..).unwrap_or_default();
    Some((open, since.iter().find(|hop| is_of(hop, open.no))?))
}

fn is_open(i: &Interaction, no: TransferNo) -> bool {
    i.transfer.as_ref().is_some_and(|open| open.no == no)
}

fn is_of(hop: &Hop, no: TransferNo) -> bool {
    hop.by.as_ref().is_some_and(|by| by.transfer == no)
}

/// B406: whoever waited for the customer has them again.
pub(crate) fn comes_back_to_the_same_agent(step: &Transition<'_>) -> bool {
    let (was, is) = (step.was(), step.is());
    let Some((open, hop)) = closed(step).filter(|_| was.away()) else { return true };
    let gone = is.ended() || matches!(is.stage, Stage::Farewell { .. }) || step.agent_who_goes().is_some();
    let back = is.primary() == Some(open.initiator.id) && !is.away() && !is.held();
    gone || back && !matches!(hop.outcome, HopOutcome::Diverted { .. })
}

/// An exit is made once: what the customer is in was not over before.
pub(crate) fn exits_are_made_once(step: &Transition<'_>) -> bool {
    let (was, is) = (step.was(), step.is());
    is.exit().is_none_or(|exit| was.exit().is_some_and(|it| it.no == exit.no) || exit.no.0 > was.counters.exit)
}

pub(crate) fn completed_when_seen(step: &Transition<'_>) -> bool {
    let Some((open, hop)) = closed(step) else { return true };
    let is = step.is();
    let recipient = match hop.outcome {
        HopOutcome::Completed { to } => is.agent(to),
        HopOutcome::CompletedOutside => open.recipient().and_then(|no| is.party(no)),
        _ => return true,
    };
    let customer_in = is.customer().leg.seen_in();
    if is.held() {
        return customer_in == Some(Room::Hold);
    }
    let recipient_in = recipient.and_then(|party| party.leg.seen_in());
    (customer_in, recipient_in) == (Some(Room::Talk), Some(Room::Talk))
}

pub(crate) fn recipient_has_the_customer(step: &Transition<'_>) -> bool {
    let (was, is) = (step.was(), step.is());
    let Some(open) = was.transfer.as_ref().filter(|open| open.is_undecided()) else { return true };
    let taken_over = is.transfer.as_ref().filter(|it| it.no == open.no && !it.is_undecided());
    let recipient = match (taken_over, closed(step)) {
        (Some(decided), _) => decided.recipient().and_then(|no| is.party(no)).map(|party| party.no),
        (None, Some((_, Hop { outcome: HopOutcome::Completed { to }, .. }))) => is.agent(*to).map(|party| party.no),
        (None, Some((open, Hop { outcome: HopOutcome::CompletedOutside, .. }))) => open.recipient(),
        (None, _) => return true,
    };
    let Some(recipient) = recipient else { return taken_over.is_none() };
    let keep = |rules: &ConsultRules| rules.hold_after_complete == HoldAfterComplete::Keep;
    let keeps = step.policy.method(open.kind).and_then(|method| method.consult.as_ref()).is_some_and(keep);
    let in_private = matches!(open.state, TransferState::Consulting { .. });
    // Whoever is outside could not take the customer off hold.
    let inside = open.target.external().is_none();
    let hold_is_right = is.held() == (was.held() && keeps && in_private && inside);
    // Who hands over by muting themselves stays, and listens.
    let stays = matches!(step.happening, Happening::Input(Input::Command(_, Command::SetMute(true))));
    is.service().is_none()
        || is.service().is_some_and(|service| service.primary == recipient)
            && hold_is_right
            && (stays || is.agent(open.initiator.id).is_none())
}

pub(crate) fn ends_as_a_hop(step: &Transition<'_>) -> bool {
    let (was, is) = (step.was(), step.is());
    let since = is.journey.get(was.journey.len()..).unwrap_or_default();
    let hops = |no: TransferNo| since.iter().filter(|hop| is_of(hop, no)).count();
    let is_one_hop = was.transfer.as_ref().is_none_or(|open| hops(open.no) == usize::from(!is_open(is, open.no)));
    is_one_hop && (!was.ended() || is.stage == was.stage)
}

/// T4: whether somebody answers is the switch's to say, for as long as their phone may ring. A team is waited for in all, and a call lasts, no
/// longer for it.
pub(crate) fn not_cut_off_while_ringing(step: &Transition<'_>) -> bool {
    let Happening::Deadline(now_us) = step.happening else { return true };
    let Some(search) = step.was().search().filter(|search| search.target.pool().is_none()) else { return true };
    let outside = search.outside.filter(|call| call.until_us > *now_us).map(|call| call.leg);
    let may_ring = search.offers.iter().find_map(|offer| match offer.state {
        OfferState::Ringing { leg, until_us, .. } if until_us > *now_us => Some(leg),
        _ => None,
    });
    let is = step.is();
    may_ring.or(outside).is_none_or(|leg| rings(is, leg)) || matches!(is.stage, Stage::Ended(Reason::Timeout))
}

pub(crate) fn leaves_nothing_behind(step: &Transition<'_>) -> bool {
    let Some((open, hop)) = closed(step) else { return true };
    let (was, is) = (step.was(), step.is());
    let failed = match hop.outcome {
        HopOutcome::Failed { to: None, .. } => true,
        HopOutcome::Cancelled { .. } => false,
        _ => return true,
    };
    if open.recipient().is_some_and(|no| is.party(no).is_some()) {
        return false;
    }
    let Some(method) = step.policy.method(open.kind) else { return true };
    let goes_on = open.is_undecided() && is.service().is_some() && is.agent(open.initiator.id).is_some();
    !goes_on || is.medium.is_written() || hold_is_over(step) || is.held() == hold_after(method, open, was, failed)
}

/// The customer was on hold for as long as anybody may be without a transfer.
fn hold_is_over(step: &Transition<'_>) -> bool {
    let hold = step.was().service().and_then(|service| service.hold.as_ref());
    hold.is_some_and(|hold| hold.since_us + step.policy.interaction.hold_max_ms * 1000 <= step.after.now_us)
}

/// Whether the customer is held after the transfer came to nothing.
fn hold_after(method: &Method, open: &Transfer, was: &Interaction, failed: bool) -> bool {
    match method.after_failure {
        AfterFailure::Held if failed && !open.resumed && open.target.pool().is_none() => true,
        AfterFailure::Held | AfterFailure::AsIs => was.held(),
        AfterFailure::Resumed => false,
    }
}

/// T9: of a transfer to one agent, whose phone or presence has just said so.
pub(crate) fn fails_with_the_agents_reason(step: &Transition<'_>) -> bool {
    let Some((open, hop)) = closed(step) else { return true };
    if !matches!((&open.state, &open.target), (TransferState::Seeking(_), Target::Agent(_) | Target::External(_))) {
        return true;
    }
    let says = match step.happening {
        Happening::Input(Input::Command(_, Command::Decline(_))) => Reason::Declined,
        Happening::Input(Input::Fact(Fact::LegEnded(leg, reason))) if rings(step.was(), *leg) => {
            if *reason == Reason::HungUp { Reason::Declined } else { *reason }
        }
        Happening::Input(Input::Fact(Fact::ClaimRefused(_, reason))) => *reason,
        _ => return true,
    };
    hop.outcome.reason() == Some(says)
}

/// B408, B409: nobody goes outside by a kind, or with a customer, that the policy has not for it.
pub(crate) fn goes_outside_as_the_policy_says(step: &Transition<'_>) -> bool {
    let (was, is) = (step.was(), step.is());
    let begun = is.transfer.as_ref().filter(|open| was.transfer.as_ref().is_none_or(|before| before.no != open.no));
    let Some((open, external)) = begun.and_then(|open| Some((open, open.target.external()?))) else { return true };
    let offer = step.policy.method(open.kind).map(|method| &method.offer);
    let allowed = offer.is_some_and(|offer| {
        offer.targets.contains(&TargetSort::External) && offer.outside.allows(external.sort(), is.direction)
    });
    allowed && was.customer().external().is_none()
}

/// B409: when the customer leaves, the initiator goes on with whom they called outside where the policy says so, and nowhere else.
pub(crate) fn goes_on_as_the_policy_says(step: &Transition<'_>) -> bool {
    let (was, is) = (step.was(), step.is());
    let Happening::Input(Input::Fact(Fact::LegEnded(leg, _))) = step.happening else {
        return was.customer == is.customer;
    };
    if *leg != was.customer().leg.no || !was.customer().leg.is_up() {
        return was.customer == is.customer;
    }
    let outside = was.transfer.as_ref().filter(|open| open.target.external().is_some() && open.is_undecided());
    let with = outside.and_then(|open| Some((open.recipient()?, open)));
    let says = with.filter(|(_, open)| {
        let consult = step.policy.method(open.kind).and_then(|method| method.consult.as_ref());
        consult.is_some_and(|rules| rules.customer_gone == ConsultCustomerGone::GoOn)
    });
    match says {
        None => was.customer == is.customer,
        Some((other, open)) => {
            let together = is.primary() == Some(open.initiator.id) && !is.held() && is.transfer.is_none();
            is.customer == other && together && is.party(was.customer).is_none()
        }
    }
}
