//! Facts as the observers report them, parsed into those of the core. What is malformed, or about another interaction, is refused whole: it
//! is a fault of ours and must be seen.

use baton_api::{
    ApiError, Known as _,
    common::v1::AgentRef as WireAgent,
    presence::v1::{SyncClaimsResponse, claim_status},
    routing::v1::SyncWaitResponse,
    transfer::v1::{ExitFact, Fact as WireFact, claim_fact, exit_fact, fact::Fact as Wire, leg_fact, segment_fact},
};
use baton_domain::{
    AgentRef, Fact,
    input::{FlowDatum, FlowEnd, FlowValue, SegmentEnd},
};
use baton_words::{
    AnnouncementNo, ClaimNo, ExitNo, ExitOutcome, InteractionId, LegNo, Reason, Room, SegmentNo, WaitNo,
};

/// Reads one fact about this interaction.
pub fn parse(id: InteractionId, fact: &WireFact) -> Result<Fact, ApiError> {
    let observed_at_us = fact.observed_at_us;
    match fact.fact.as_ref().ok_or_else(|| bad("fact", "is missing"))? {
        Wire::Leg(leg) => {
            let no = own(id, "leg.leg_id", LegNo::parse(&leg.leg_id))?;
            let room = match leg.room.as_str() {
                "" => None,
                name => Some(Room::parse(name).ok_or_else(|| bad("leg.room", "is no room of a plan"))?),
            };
            match leg.state() {
                leg_fact::State::Up => Ok(Fact::LegUp(no, room)),
                leg_fact::State::Ended => Ok(Fact::LegEnded(no, reason("leg.reason", leg.reason())?)),
                leg_fact::State::Ringing => Err(bad("leg.state", "is not for the interaction to know")),
                leg_fact::State::Unspecified => Err(bad("leg.state", "is missing")),
            }
        }
        Wire::Announcement(over) => {
            own(id, "announcement_id", AnnouncementNo::parse(&over.announcement_id)).map(Fact::AnnouncementOver)
        }
        Wire::Exit(exit) => {
            let no = own(id, "exit_id", ExitNo::parse(&exit.exit_id))?;
            // Of a flow from which nothing came, the end is told as that of voicemail is.
            let over = |outcome, end| {
                if exit.data.is_empty() { Fact::ExitOver(no, outcome) } else { Fact::FlowOver(no, end, data(exit)) }
            };
            let element = u32::try_from(exit.element).map_err(|_| bad("exit.element", "is negative"))?;
            Ok(match exit.outcome() {
                exit_fact::Outcome::Returned => over(ExitOutcome::Returned, FlowEnd::Returned),
                exit_fact::Outcome::Left => over(ExitOutcome::Left, FlowEnd::Left),
                exit_fact::Outcome::Unknown | exit_fact::Outcome::Unspecified => {
                    over(ExitOutcome::Unknown, FlowEnd::Unknown)
                }
                exit_fact::Outcome::InFlow => Fact::InFlow(no, data(exit)),
                exit_fact::Outcome::Ended => Fact::FlowOver(no, FlowEnd::Ended, data(exit)),
                exit_fact::Outcome::Transferred => Fact::FlowOver(no, FlowEnd::Transferred(element), data(exit)),
            })
        }
        Wire::Segment(segment) => {
            let no = own(id, "segment_id", SegmentNo::parse(&segment.segment_id))?;
            let end = |failed| SegmentEnd {
                started_at_us: segment.started_at_us,
                ended_at_us: if segment.ended_at_us == 0 { observed_at_us } else { segment.ended_at_us },
                failed,
            };
            match segment.state() {
                segment_fact::State::Live => Ok(Fact::SegmentLive(no)),
                segment_fact::State::Ended => Ok(Fact::SegmentEnded(no, end(false))),
                segment_fact::State::Failed => Ok(Fact::SegmentEnded(no, end(true))),
                segment_fact::State::Unspecified => Err(bad("segment.state", "is missing")),
            }
        }
        Wire::Claim(claim) => {
            let no = own(id, "claim_id", ClaimNo::parse(&claim.claim_id))?;
            Ok(match claim.state() {
                claim_fact::State::Granted => Fact::ClaimGranted(no),
                _ => Fact::ClaimRefused(no, reason("claim.reason", claim.reason())?),
            })
        }
        Wire::Proposal(proposal) => {
            let no = own(id, "wait_id", WaitNo::parse(&proposal.wait_id))?;
            proposed(no, &proposal.agents, proposal.agents.is_empty().then(|| proposal.reason()))
        }
        Wire::SwitchLost(_) => Ok(Fact::SwitchLost),
    }
}

/// What a flow has collected and set.
fn data(exit: &ExitFact) -> Vec<FlowDatum> {
    let data = exit.data.iter().map(|it| FlowDatum {
        key: it.key.as_str().into(),
        value: match (it.sensitive, it.pressed) {
            (true, _) => FlowValue::Secret,
            (false, true) => FlowValue::Digits(it.value.as_str().into()),
            (false, false) => FlowValue::Set(it.value.as_str().into()),
        },
    });
    data.collect()
}

/// Whatever ended, ended for a reason.
fn reason(field: &str, reason: baton_api::common::v1::Reason) -> Result<Reason, ApiError> {
    reason.known().ok_or_else(|| bad(field, "is missing, or no reason that is known"))
}

/// How the claims stand, as facts.
pub fn of_claims(id: InteractionId, answer: &SyncClaimsResponse) -> Result<Vec<Fact>, ApiError> {
    let facts = answer.claims.iter().map(|status| {
        let no = own(id, "claim_id", ClaimNo::parse(&status.claim_id))?;
        Ok(match status.state() {
            claim_status::State::Granted => Fact::ClaimGranted(no),
            claim_status::State::Queued => Fact::ClaimQueued(no),
            _ => Fact::ClaimRefused(no, reason("claims.reason", status.reason())?),
        })
    });
    facts.collect()
}

/// Routing's answer for a wait, if it has one already.
pub fn of_wait(wait: WaitNo, answer: &SyncWaitResponse) -> Result<Option<Fact>, ApiError> {
    if answer.proposed.is_empty() && !answer.exhausted {
        let position = u32::try_from(answer.position).ok().filter(|position| *position > 0);
        return Ok(position.map(|position| Fact::Queued(wait, position)));
    }
    proposed(wait, &answer.proposed, answer.exhausted.then(|| answer.reason())).map(Some)
}

/// `nobody`: why routing has nobody to propose.
fn proposed(
    wait: WaitNo,
    agents: &[WireAgent],
    nobody: Option<baton_api::common::v1::Reason>,
) -> Result<Fact, ApiError> {
    use baton_api::common::v1::Reason as Why;
    Ok(match nobody {
        Some(Why::QueueClosed) => Fact::Closed(wait),
        Some(Why::NobodySignedIn) => Fact::Unattended(wait),
        Some(_) => Fact::Exhausted(wait),
        None => Fact::Proposed(wait, agents.iter().map(agent).collect::<Result<_, _>>()?),
    })
}

/// An agent as presence and routing name them.
pub(crate) fn agent(wire: &WireAgent) -> Result<AgentRef, ApiError> {
    Ok(AgentRef {
        id: wire.agent_id.parse().map_err(|_| bad("agent_id", "is no UUID"))?,
        name: wire.name.as_str().into(),
        phone: wire.phone.as_str().into(),
        voicemail: wire.voicemail,
    })
}

fn own<T, E>(id: InteractionId, field: &'static str, parsed: Result<(InteractionId, T), E>) -> Result<T, ApiError> {
    match parsed {
        Ok((of, no)) if of == id => Ok(no),
        _ => Err(bad(field, "is not an id of this interaction")),
    }
}

fn bad(field: &str, why: &str) -> ApiError {
    ApiError::invalid_argument(field, why)
}
