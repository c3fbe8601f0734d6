//! Facts as they are stored and reported: how they are made, and which of them are final.

use baton_api::common::v1::Reason;
use baton_api::transfer::v1::fact::Fact as FactContent;
use baton_api::transfer::v1::{
    AnnouncementFact, ExitFact, Fact, FlowDatum, LegFact, SegmentFact, SwitchLostFact, exit_fact, leg_fact,
    segment_fact,
};

use crate::switch::{ExitEnd, FlowEnding, LegEnding};

pub fn ringing(leg_id: &str) -> FactContent {
    leg(leg_id, leg_fact::State::Ringing, Reason::Unspecified, "")
}

/// `room` is empty when the leg is in no room of the interaction.
pub fn up(leg_id: &str, room: &str) -> FactContent {
    leg(leg_id, leg_fact::State::Up, Reason::Unspecified, room)
}

pub fn ended(leg_id: &str, why: LegEnding) -> FactContent {
    leg(leg_id, leg_fact::State::Ended, reason(why), "")
}

pub fn announcement_over(id: &str) -> FactContent {
    FactContent::Announcement(AnnouncementFact { announcement_id: id.to_owned() })
}

pub fn exit_over(id: &str, end: ExitEnd) -> FactContent {
    let outcome = match end {
        ExitEnd::Left => exit_fact::Outcome::Left,
        ExitEnd::Returned => exit_fact::Outcome::Returned,
        ExitEnd::Unknown => exit_fact::Outcome::Unknown,
    };
    FactContent::Exit(ExitFact { exit_id: id.to_owned(), outcome: outcome.into(), ..ExitFact::default() })
}

/// The leg is in an IVR flow, which has collected and set all of this.
pub fn in_flow(id: &str, data: Vec<FlowDatum>) -> FactContent {
    flow(id, exit_fact::Outcome::InFlow, 0, data)
}

pub fn flow_over(id: &str, end: FlowEnding, data: Vec<FlowDatum>) -> FactContent {
    let (outcome, element) = match end {
        FlowEnding::Left => (exit_fact::Outcome::Left, 0),
        FlowEnding::Returned => (exit_fact::Outcome::Returned, 0),
        FlowEnding::Ended => (exit_fact::Outcome::Ended, 0),
        FlowEnding::Transferred(element) => (exit_fact::Outcome::Transferred, element),
        FlowEnding::Failed => (exit_fact::Outcome::Unknown, 0),
    };
    flow(id, outcome, element, data)
}

fn flow(id: &str, outcome: exit_fact::Outcome, element: i32, data: Vec<FlowDatum>) -> FactContent {
    FactContent::Exit(ExitFact { exit_id: id.to_owned(), outcome: outcome.into(), element, data })
}

pub fn segment_live(id: &str, started_at_us: i64) -> FactContent {
    segment(id, segment_fact::State::Live, started_at_us, 0)
}

/// `torn`: a part of the audio is missing.
pub fn segment_closed(id: &str, started_at_us: i64, ended_at_us: i64, torn: bool) -> FactContent {
    let state = if torn { segment_fact::State::Failed } else { segment_fact::State::Ended };
    segment(id, state, started_at_us, ended_at_us)
}

/// The segment was withdrawn before it began: nothing was written, and nothing is lost.
pub fn segment_never_begun(id: &str) -> FactContent {
    segment(id, segment_fact::State::Ended, 0, 0)
}

/// The segment could not begin, or is lost.
pub fn segment_failed(id: &str, started_at_us: i64) -> FactContent {
    segment(id, segment_fact::State::Failed, started_at_us, 0)
}

/// All legs of the interaction are gone.
pub fn switch_lost() -> FactContent {
    FactContent::SwitchLost(SwitchLostFact {})
}

/// No other fact about the same operation can follow.
pub fn is_final(fact: &Fact) -> bool {
    match &fact.fact {
        Some(FactContent::Leg(leg)) => leg.state() == leg_fact::State::Ended,
        Some(FactContent::Exit(exit)) => exit.outcome() != exit_fact::Outcome::InFlow,
        Some(FactContent::Segment(segment)) => segment.state() != segment_fact::State::Live,
        Some(_) => true,
        None => false,
    }
}

/// 0 when the fact is about something else, or the segment never began.
pub fn segment_started_at_us(fact: Option<&Fact>) -> i64 {
    match fact.and_then(|it| it.fact.as_ref()) {
        Some(FactContent::Segment(segment)) => segment.started_at_us,
        _ => 0,
    }
}

fn leg(leg_id: &str, state: leg_fact::State, reason: Reason, room: &str) -> FactContent {
    FactContent::Leg(LegFact {
        leg_id: leg_id.to_owned(),
        state: state.into(),
        reason: reason.into(),
        room: room.to_owned(),
    })
}

fn segment(id: &str, state: segment_fact::State, started_at_us: i64, ended_at_us: i64) -> FactContent {
    FactContent::Segment(SegmentFact { segment_id: id.to_owned(), state: state.into(), started_at_us, ended_at_us })
}

fn reason(why: LegEnding) -> Reason {
    match why {
        LegEnding::HungUp => Reason::HungUp,
        LegEnding::Busy => Reason::Busy,
        LegEnding::NoAnswer => Reason::NoAnswer,
        LegEnding::Declined => Reason::Declined,
        LegEnding::Unreachable => Reason::Unreachable,
        LegEnding::SwitchLost => Reason::SwitchLost,
    }
}

pub fn is_up(content: &FactContent) -> bool {
    matches!(content, FactContent::Leg(leg) if leg.state() == leg_fact::State::Up)
}
