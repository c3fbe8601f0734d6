//! What is stored and published: a consumer's picture, made of events alone, is that of the state.

use crate::transitions::Transition;
use baton_domain::{
    Event, EventKind,
    interaction::{ExitTo, Interaction},
    machine::{Offer, OfferState, Round},
};
use baton_words::{AgentId, ClaimNo, RecordingNo};
use smallvec::SmallVec;

pub(crate) fn unchanged_is_the_same(step: &Transition<'_>) -> bool {
    step.changed() || step.was() == step.is()
}

pub(crate) fn tell_it_all(step: &Transition<'_>) -> bool {
    let Ok(reaction) = step.answer else { return true };
    let (was, is) = (step.was(), step.is());
    let count = |is_one: fn(&EventKind) -> bool| reaction.events.iter().filter(|event| is_one(&event.kind)).count();
    let in_order = reaction.events.iter().zip(was.sequence + 1..).all(|(event, sequence)| event.sequence == sequence);
    let agents = was.agents().count() + count(|it| matches!(it, EventKind::AgentJoined { .. }))
        == is.agents().count() + count(|it| matches!(it, EventKind::AgentLeft { .. }));
    // When the customer has left, nobody is on hold any more.
    let holds = is.customer().leg.is_over()
        || is.ended()
        || usize::from(was.held()) + count(|it| matches!(it, EventKind::CustomerHeld))
            == usize::from(is.held()) + count(|it| matches!(it, EventKind::CustomerResumed { .. }));
    let started = (is.counters.transfer - was.counters.transfer) as usize;
    let transfers = started == count(|it| matches!(it, EventKind::TransferStarted(_)))
        && usize::from(was.transfer.is_some()) + started == usize::from(is.transfer.is_some()) + count(ends_a_transfer);
    let outside = was.externals().count() + count(|it| matches!(it, EventKind::ExternalJoined { .. }))
        == is.externals().count()
            + count(|it| matches!(it, EventKind::ExternalLeft { .. } | EventKind::CustomerChanged { .. }));
    let ends = usize::from(is.ended() && !was.ended()) == count(|it| matches!(it, EventKind::Ended(_)));
    let in_flow = |i: &Interaction| usize::from(matches!(i.exit(), Some(exit) if matches!(exit.to, ExitTo::Flow(_))));
    let sent = (is.counters.flow_exit - was.counters.flow_exit) as usize;
    let flows = in_flow(was) + sent == in_flow(is) + count(|it| matches!(it, EventKind::FlowLeft { .. }));
    in_order
        && flows
        && agents
        && outside
        && holds
        && transfers
        && ends
        && search(step, &reaction.events)
        && recordings(step, &reaction.events)
}

fn ends_a_transfer(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::TransferCompleted { .. }
            | EventKind::TransferDiverted { .. }
            | EventKind::TransferFailed { .. }
            | EventKind::TransferCancelled { .. }
            | EventKind::TransferAbandoned { .. }
            | EventKind::TransferReturned { .. }
            | EventKind::TransferInFlow { .. }
    )
}

/// Whoever is rung is offered, and whoever is waited for is told of; then they join, or the offer fails. Whoever waits in a queue leaves it.
fn search(step: &Transition<'_>, events: &[Event]) -> bool {
    let (was, is) = (offers(step.was(), is_rung), offers(step.is(), is_rung));
    let (awaited, awaits) = (offers(step.was(), is_awaited), offers(step.is(), is_awaited));
    let tells = |is_it: &dyn Fn(&EventKind) -> bool| events.iter().any(|event| is_it(&event.kind));
    let begun = is
        .iter()
        .filter(|offer| !was.contains(offer))
        .all(|(_, rung)| tells(&|it| matches!(it, EventKind::AgentOffered { agent, .. } if agent == rung)));
    let waiting = awaits.iter().filter(|offer| !awaited.contains(offer)).all(|(_, awaited)| {
        tells(&|it| matches!(it, EventKind::TransferWaiting { recipient, .. } if recipient == awaited))
    });
    let goes_on = |offer: &&(ClaimNo, AgentId)| is.contains(offer) || awaits.contains(offer);
    let over = was.iter().chain(&awaited).filter(|offer| !goes_on(offer)).all(|(_, rung)| {
        tells(&|it| {
            matches!(it, EventKind::AgentJoined { agent, .. } | EventKind::OfferFailed { agent, .. } if agent == rung)
        })
    });
    let waits = |i: &Interaction| usize::from(i.search().is_some_and(|it| it.entered && it.round != Round::Over));
    let count = |is_one: fn(&EventKind) -> bool| events.iter().filter(|event| is_one(&event.kind)).count();
    let queue = waits(step.was()) + count(|it| matches!(it, EventKind::Queued { .. }))
        == waits(step.is()) + count(|it| matches!(it, EventKind::Dequeued { .. }));
    let rung_outside = |i: &Interaction| usize::from(i.search().is_some_and(|search| search.outside.is_some()));
    let outside = rung_outside(step.was()) + count(|it| matches!(it, EventKind::ExternalDialled { .. }))
        == rung_outside(step.is())
            + count(|it| matches!(it, EventKind::ExternalJoined { .. } | EventKind::ExternalFailed { .. }));
    begun && waiting && over && queue && outside
}

fn is_rung(offer: &Offer) -> bool {
    matches!(offer.state, OfferState::Ringing { .. })
}

fn is_awaited(offer: &Offer) -> bool {
    matches!(offer.state, OfferState::Queued { .. })
}

fn offers(i: &Interaction, of: fn(&Offer) -> bool) -> SmallVec<[(ClaimNo, AgentId); 2]> {
    let all = i.search().into_iter().flat_map(|search| &search.offers);
    all.filter(|offer| of(offer)).map(|offer| (offer.claim, offer.agent.id)).collect()
}

/// A recording that has begun goes on, is ending, or has ended: after the last of its segments.
fn recordings(step: &Transition<'_>, events: &[Event]) -> bool {
    let (was, is) = (open_recordings(step.was()), open_recordings(step.is()));
    let ended = |no: RecordingNo| {
        events.iter().any(|event| matches!(event.kind, EventKind::RecordingEnded { recording } if recording == no))
    };
    let written = |no: RecordingNo| step.is().recorder.closing.iter().any(|segment| segment.recording == no);
    was.into_iter().all(|no| is.contains(&no) != ended(no) && !(ended(no) && written(no)))
}

fn open_recordings(i: &Interaction) -> SmallVec<[RecordingNo; 4]> {
    let r = &i.recorder;
    let suspended = r.suspended.iter().filter_map(|suspended| suspended.tenure.recording);
    r.recording().into_iter().chain(suspended).chain(r.ending.iter().copied()).collect()
}
