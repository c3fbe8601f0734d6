//! Facts come twice, late, and about what is no longer there.

use crate::{
    happening::Happening,
    invariants::{Checked, ensure},
    model::Proof,
    transitions::Transition,
    world::{World, agent},
};
use baton_domain::{
    Fact, Input,
    input::FlowEnd,
    interaction::{Interaction, Stage},
    machine::{OfferState, Round},
    project,
};
use baton_words::{AnnouncementNo, ClaimNo, ExitNo, ExitOutcome, LegNo, Reason, Room, WaitNo};

pub(crate) fn late_ones_change_nothing(proof: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    let late = late(i);
    if late.is_empty() {
        return Ok(());
    }
    let mut trial = i.clone();
    for fact in late {
        let says = format!("{fact:?}");
        let answer = baton_domain::react(&mut trial, &proof.policy, Input::Fact(fact), world.now_us);
        ensure(answer.is_ok_and(|reaction| !reaction.changed), || format!("{says} changes something"))?;
    }
    Ok(())
}

/// Of each sort, about all that is over.
fn late(i: &Interaction) -> Vec<Fact> {
    let mut late = Vec::new();
    let offers = || i.search().into_iter().flat_map(|search| &search.offers);
    for leg in (1..=i.counters.leg).map(LegNo) {
        let outside = i.search().and_then(|search| search.outside).is_some_and(|call| call.leg == leg);
        let rings =
            outside || offers().any(|offer| matches!(offer.state, OfferState::Ringing { leg: own, .. } if own == leg));
        if i.ended() || !rings && !i.parties.iter().any(|party| party.leg.no == leg) {
            late.extend([Fact::LegUp(leg, None), Fact::LegUp(leg, Some(Room::Talk))]);
            late.extend([Fact::LegEnded(leg, Reason::HungUp), Fact::LegEnded(leg, Reason::Unreachable)]);
        }
    }
    for claim in (1..=i.counters.claim).map(ClaimNo).filter(|claim| !offers().any(|offer| offer.claim == *claim)) {
        late.extend([Fact::ClaimGranted(claim), Fact::ClaimRefused(claim, Reason::Unreachable)]);
    }
    let open = |wait| i.search().is_some_and(|search| search.round == Round::Open(wait));
    for wait in (1..=i.counters.wait).map(WaitNo).filter(|wait| !open(*wait)) {
        late.extend([Fact::Queued(wait, 1), Fact::Exhausted(wait), Fact::Proposed(wait, vec![agent(u8::MAX)])]);
        late.extend([Fact::Unattended(wait), Fact::Closed(wait)]);
    }
    for exit in (1..=i.counters.exit).map(ExitNo) {
        if i.exit().is_none_or(|open| open.no != exit) {
            late.push(Fact::InFlow(exit, vec![]));
            let ends = [FlowEnd::Returned, FlowEnd::Ended, FlowEnd::Transferred(0), FlowEnd::Left, FlowEnd::Unknown];
            late.extend(ends.map(|end| Fact::FlowOver(exit, end, vec![])));
            late.extend([ExitOutcome::Left, ExitOutcome::Returned].map(|outcome| Fact::ExitOver(exit, outcome)));
        }
    }
    for announcement in (1..=i.counters.announcement).map(AnnouncementNo) {
        if !matches!(i.stage, Stage::Farewell { announcement: open, .. } if open == announcement) {
            late.push(Fact::AnnouncementOver(announcement));
        }
    }
    late
}

pub(crate) fn over_is_over(step: &Transition<'_>) -> bool {
    let Happening::Input(Input::Fact(Fact::LegEnded(leg, _))) = step.happening else { return true };
    !project::plan(step.is(), step.policy).legs.iter().any(|planned| planned.leg == *leg)
}

pub(crate) fn changes_nothing_again(step: &Transition<'_>) -> bool {
    let Happening::Input(Input::Fact(fact)) = step.happening else { return true };
    if !step.changed() {
        return true;
    }
    let mut trial = step.is().clone();
    let again = baton_domain::react(&mut trial, step.policy, Input::Fact(fact.clone()), step.after.now_us);
    again.is_ok_and(|reaction| !reaction.changed)
}
