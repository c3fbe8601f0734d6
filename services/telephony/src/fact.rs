//! Facts as they are stored and sent: what they are made of, and which of them are final.

use baton_api::common::v1::Reason;
use baton_api::transfer::v1::fact::Fact as What;
use baton_api::transfer::v1::{
    AnnouncementFact, ExitFact, Fact, LegFact, SegmentFact, SwitchLostFact, exit_fact, leg_fact, segment_fact,
};

use crate::switch::{Ending, ExitEnd};

/// A leg rings.
pub fn ringing(leg_id: &str) -> What {
    leg(leg_id, leg_fact::State::Ringing, Reason::Unspecified, "")
}

/// A leg is connected, and in this room (or in none: empty).
pub fn up(leg_id: &str, room: &str) -> What {
    leg(leg_id, leg_fact::State::Up, Reason::Unspecified, room)
}

/// A leg is gone.
pub fn ended(leg_id: &str, why: Ending) -> What {
    leg(leg_id, leg_fact::State::Ended, reason(why), "")
}

/// An announcement is over.
pub fn announcement_over(id: &str) -> What {
    What::Announcement(AnnouncementFact { announcement_id: id.to_owned() })
}

/// An exit is over.
pub fn exit_over(id: &str, end: ExitEnd) -> What {
    let outcome = match end {
        ExitEnd::Left => exit_fact::Outcome::Left,
        ExitEnd::Returned => exit_fact::Outcome::Returned,
        ExitEnd::Unknown => exit_fact::Outcome::Unknown,
    };
    What::Exit(ExitFact { exit_id: id.to_owned(), outcome: outcome.into() })
}

/// A segment is being written.
pub fn segment_live(id: &str, started_at_us: i64) -> What {
    segment(id, segment_fact::State::Live, started_at_us, 0)
}

/// A segment is closed; whole, or torn.
pub fn segment_closed(id: &str, started_at_us: i64, ended_at_us: i64, torn: bool) -> What {
    let state = if torn { segment_fact::State::Failed } else { segment_fact::State::Ended };
    segment(id, state, started_at_us, ended_at_us)
}

/// A segment was no longer wanted before it was begun: nothing was written, and nothing is lost.
pub fn segment_never_begun(id: &str) -> What {
    segment(id, segment_fact::State::Ended, 0, 0)
}

/// A segment could not be begun, or is lost.
pub fn segment_failed(id: &str, started_at_us: i64) -> What {
    segment(id, segment_fact::State::Failed, started_at_us, 0)
}

/// No leg of the interaction lives.
pub fn switch_lost() -> What {
    What::SwitchLost(SwitchLostFact {})
}

/// Nothing can follow this one about the same thing.
pub fn is_final(fact: &Fact) -> bool {
    match &fact.fact {
        Some(What::Leg(leg)) => leg.state() == leg_fact::State::Ended,
        Some(What::Segment(segment)) => segment.state() != segment_fact::State::Live,
        Some(_) => true,
        None => false,
    }
}

/// When the segment that this is about began; 0 when it is about something else, or it never did.
pub fn segment_started_at_us(fact: Option<&Fact>) -> i64 {
    match fact.and_then(|it| it.fact.as_ref()) {
        Some(What::Segment(segment)) => segment.started_at_us,
        _ => 0,
    }
}

fn leg(leg_id: &str, state: leg_fact::State, reason: Reason, room: &str) -> What {
    What::Leg(LegFact { leg_id: leg_id.to_owned(), state: state.into(), reason: reason.into(), room: room.to_owned() })
}

fn segment(id: &str, state: segment_fact::State, started_at_us: i64, ended_at_us: i64) -> What {
    What::Segment(SegmentFact { segment_id: id.to_owned(), state: state.into(), started_at_us, ended_at_us })
}

fn reason(why: Ending) -> Reason {
    match why {
        Ending::HungUp => Reason::HungUp,
        Ending::Busy => Reason::Busy,
        Ending::NoAnswer => Reason::NoAnswer,
        Ending::Declined => Reason::Declined,
        Ending::Unreachable => Reason::Unreachable,
        Ending::SwitchLost => Reason::SwitchLost,
    }
}

/// The leg was connected.
pub fn is_up(what: &What) -> bool {
    matches!(what, What::Leg(leg) if leg.state() == leg_fact::State::Up)
}
