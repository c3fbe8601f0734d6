//! Why it happened: what an event says of its cause is what came in, and the time that was up; and what it names there is (B612).

use crate::{happening::Happening, transitions::Transition};
use baton_domain::{
    Cause, Event, EventKind, Fact, FactSort, Input, RuleField, Trigger,
    cause::{HouseField, MethodField},
    interaction::{LegState, Stage},
    machine::{Offer, OfferState},
};
use baton_words::Reason;

pub(crate) fn are_what_came_in(step: &Transition<'_>) -> bool {
    let Ok(reaction) = step.answer else { return true };
    reaction.events.iter().all(|event| {
        let named = [event.cause.limit, event.cause.rule].into_iter().flatten();
        let there_is = named.into_iter().all(|field| field.value(step.policy, &step.was().flow).is_some());
        there_is && fits(step, &event.cause) && is_whole(event)
    })
}

fn fits(step: &Transition<'_>, cause: &Cause) -> bool {
    match step.happening {
        Happening::Input(Input::Command(actor, command)) => {
            cause.trigger == Trigger::Command(command.action()) && cause.agent == actor.agent()
        }
        Happening::Input(Input::Fact(fact)) => is_of_fact(cause.trigger, fact),
        Happening::Input(Input::Tick) | Happening::Deadline(_) => {
            cause.trigger == Trigger::Deadline && cause.limit.is_some_and(|limit| is_up(step, limit))
        }
        Happening::ShortlyBefore(_) => false,
    }
}

fn is_of_fact(trigger: Trigger, fact: &Fact) -> bool {
    let Trigger::Fact(sort, reason) = trigger else { return false };
    let (sorts, why): (&[FactSort], Option<Reason>) = match fact {
        Fact::LegUp(..) => (&[FactSort::Answered, FactSort::Seen], None),
        Fact::LegEnded(_, reason) => (&[FactSort::LegEnded], Some(*reason)),
        Fact::AnnouncementOver(_) => (&[FactSort::AnnouncementOver], None),
        Fact::ExitOver(..) | Fact::FlowOver(..) => (&[FactSort::ExitOver], None),
        Fact::InFlow(..) => (&[FactSort::InFlow], None),
        Fact::SegmentLive(_) => (&[FactSort::SegmentLive], None),
        Fact::SegmentEnded(..) => (&[FactSort::SegmentEnded], None),
        Fact::ClaimGranted(_) => (&[FactSort::ClaimGranted], None),
        Fact::ClaimQueued(_) => (&[FactSort::ClaimQueued], None),
        Fact::ClaimRefused(_, reason) => (&[FactSort::ClaimRefused], Some(*reason)),
        Fact::Queued(..) => (&[FactSort::Queued], None),
        Fact::Proposed(..) => (&[FactSort::Proposed], None),
        Fact::Exhausted(_) => (&[FactSort::Exhausted], None),
        Fact::SwitchLost => (&[FactSort::SwitchLost], None),
        Fact::Unattended(_) => (&[FactSort::Unattended], None),
        Fact::Closed(_) => (&[FactSort::Closed], None),
    };
    sorts.contains(&sort) && reason == why
}

/// Whether the time that this field sets was up, for what was there.
fn is_up(step: &Transition<'_>, limit: RuleField) -> bool {
    let (was, now_us) = (step.was(), step.after.now_us);
    let ms = limit.value(step.policy, &was.flow).and_then(|value| value.parse::<i64>().ok());
    let over = |since_us: i64| ms.is_some_and(|ms| since_us + ms * 1000 <= now_us);
    let hold = was.service().and_then(|service| service.hold.as_ref());
    let mut offers = was.search().into_iter().flat_map(|search| &search.offers);
    match limit {
        RuleField::House(HouseField::HoldMax) => hold.is_some_and(|hold| over(hold.since_us)),
        RuleField::House(HouseField::HoldReminder) => hold.is_some_and(|hold| over(hold.reminded_at_us)),
        RuleField::House(HouseField::MaxCall) => over(was.opened_at_us),
        RuleField::House(HouseField::Voicemail) => {
            matches!(&was.stage, Stage::Exiting(exit) if exit.until_us <= now_us)
        }
        RuleField::House(HouseField::Farewell) => {
            matches!(was.stage, Stage::Farewell { until_us, .. } if until_us <= now_us)
        }
        RuleField::House(HouseField::ClaimAnswer) => {
            offers.any(|offer| matches!(offer.state, OfferState::Claiming { until_us } if until_us <= now_us))
        }
        RuleField::House(HouseField::RingSilence) => {
            let rung = offers.filter_map(|offer: &Offer| match offer.state {
                OfferState::Ringing { until_us, .. } => Some(until_us),
                OfferState::Claiming { .. } | OfferState::Queued { .. } => None,
            });
            let customer = match was.customer().leg.state {
                LegState::Ringing { until_us, .. } => Some(until_us),
                _ => None,
            };
            let outside = was.search().and_then(|search| search.outside).map(|call| call.until_us);
            rung.chain(customer).chain(outside).any(over)
        }
        // Of a chat, nobody but the clock tells that it was not accepted.
        RuleField::Method(_, MethodField::Ring) if was.medium.is_written() => offers.any(|it| rung_out(it, now_us)),
        RuleField::Step(..) if was.medium.is_written() && offers.clone().any(|it| rung_out(it, now_us)) => true,
        RuleField::Method(_, MethodField::Wait) | RuleField::Step(..) | RuleField::Queue(_) => {
            let awaited = |offer: &Offer| matches!(offer.state, OfferState::Queued { until_us } if until_us <= now_us);
            was.search().is_some_and(|search| search.until_us <= now_us) || offers.any(awaited)
        }
        RuleField::Away(..) => was.exit().is_some_and(|exit| exit.until_us <= now_us),
        RuleField::House(_) | RuleField::Method(..) | RuleField::Consult(..) => {
            was.transfer.as_ref().is_some_and(|transfer| over(transfer.since_us))
        }
    }
}

fn rung_out(offer: &Offer, now_us: i64) -> bool {
    matches!(offer.state, OfferState::Ringing { until_us, .. } if until_us <= now_us)
}

/// A phone that rang out says for how long it could ring, and a diversion what led there.
fn is_whole(event: &Event) -> bool {
    match event.kind {
        EventKind::OfferFailed { reason: Reason::NoAnswer, .. }
        | EventKind::ExternalFailed { reason: Reason::NoAnswer, .. } => event.cause.limit.is_some(),
        EventKind::TransferDiverted { .. } => {
            matches!(event.cause.rule, Some(RuleField::Method(_, MethodField::Fallback)))
        }
        _ => true,
    }
}
