//! The projections as the other services get them: written, and nothing added.

use super::words::{at, customer, kind, medium, reason};
use baton_api::{
    common::v1::TransferKind,
    presence::v1::{self as presence, Claim, ReleasedClaim, SyncClaimsRequest, claim::State},
    routing::v1::{SyncWaitRequest, Wait},
    telephony::v1::{self as wire, Dial, leg::Origin},
};
use baton_domain::{
    Interaction,
    project::{self, Claims, InboxItem, MediaPlan, PlannedLeg, PlannedOrigin, WantedClaim},
};
use baton_words::InteractionId;

/// The media plan.
pub(crate) fn media(i: &Interaction, plan: &MediaPlan) -> wire::MediaPlan {
    let rooms = plan.rooms.iter().map(|planned| wire::Room {
        name: planned.room.name().into(),
        treatment: wire::room::Treatment::from(planned.treatment).into(),
    });
    let announcements = plan.announcement.iter().map(|planned| wire::Announcement {
        announcement_id: planned.announcement.of(i.id),
        room: planned.room.name().into(),
        name: planned.name.into(),
    });
    wire::MediaPlan {
        tenant: i.tenant.to_string(),
        interaction_id: i.id.to_string(),
        version: plan.version,
        rooms: rooms.collect(),
        legs: plan.legs.iter().map(|planned| leg(i.id, planned)).collect(),
        announcements: announcements.collect(),
        exit: plan.exit.as_ref().map(|exit| wire::Exit {
            exit_id: exit.exit.of(i.id),
            leg_id: exit.leg.of(i.id),
            mailbox: exit.mailbox.to_string(),
        }),
        segment: plan.segment.map(|segment| wire::Segment {
            segment_id: segment.segment.of(i.id),
            room: segment.room.name().into(),
            recording_id: segment.recording.of(i.id),
        }),
        ended: plan.ended,
        switch_id: plan.switch.to_string(),
        awaited_segment_ids: plan.awaited.iter().map(|segment| segment.of(i.id)).collect(),
    }
}

fn leg(id: InteractionId, planned: &PlannedLeg) -> wire::Leg {
    let origin = match &planned.origin {
        PlannedOrigin::Inbound(name) => Origin::Inbound(name.to_string()),
        PlannedOrigin::Phone { phone, caller, ring_until_us } => Origin::Dial(Dial {
            phone: phone.to_string(),
            ring_until_us: *ring_until_us,
            caller: caller.to_string(),
            outside: false,
            allowed_by: String::new(),
        }),
        PlannedOrigin::Outside { outside, caller, ring_until_us } => Origin::Dial(Dial {
            phone: outside.phone.to_string(),
            ring_until_us: *ring_until_us,
            caller: caller.to_string(),
            outside: true,
            allowed_by: outside.allowed_by.to_string(),
        }),
    };
    wire::Leg {
        leg_id: planned.leg.of(id),
        origin: Some(origin),
        room: planned.room.map(|room| room.name().into()).unwrap_or_default(),
        muted: planned.muted,
    }
}

/// The claims, with what the agents' inboxes show.
pub(crate) fn claims(i: &Interaction, own: &Claims) -> SyncClaimsRequest {
    let released = own.released.iter().map(|released| ReleasedClaim {
        claim_id: released.claim.of(i.id),
        agent_id: released.agent.to_string(),
        reason: reason(released.reason),
        wrap_up_ms: released.wrap_up_ms,
    });
    SyncClaimsRequest {
        tenant: i.tenant.to_string(),
        interaction_id: i.id.to_string(),
        version: own.version,
        claims: own.wanted.iter().map(|wanted| claim(i, wanted)).collect(),
        released: released.collect(),
        ended: own.ended,
    }
}

fn claim(i: &Interaction, wanted: &WantedClaim) -> Claim {
    let offered = wanted.reserved_until_us.is_some();
    let choosable = wanted.choosable.iter().map(|state| presence::AgentState::from(*state).into());
    Claim {
        claim_id: wanted.claim.of(i.id),
        agent_id: wanted.agent.to_string(),
        state: if offered { State::Reserved } else { State::Engaged }.into(),
        expires_at_us: wanted.reserved_until_us.unwrap_or_default(),
        choosable: choosable.collect(),
        inbox: Some(inbox(i, &wanted.inbox, offered)),
    }
}

fn inbox(i: &Interaction, item: &InboxItem, offered: bool) -> presence::InboxItem {
    let by = item.transfer.as_ref();
    presence::InboxItem {
        interaction_id: i.id.to_string(),
        transfer_id: by.map(|by| by.transfer.of(i.id)).unwrap_or_default(),
        kind: by.map_or(TransferKind::Unspecified.into(), |by| kind(by.kind)),
        offered,
        from_name: by.map(|by| by.from_name.to_string()).unwrap_or_default(),
        customer: Some(customer(&item.customer, &i.customer_key)),
        medium: medium(i.medium),
        message: by.map(|by| by.message.to_string()).unwrap_or_default(),
        start_time: Some(at(item.since_us)),
    }
}

/// The wait.
pub(crate) fn wait(i: &Interaction, own: Option<&project::Wait>) -> SyncWaitRequest {
    SyncWaitRequest {
        tenant: i.tenant.to_string(),
        interaction_id: i.id.to_string(),
        version: i.version,
        wait: own.map(|own| Wait {
            wait_id: own.wait.of(i.id),
            team_id: own.team.to_string(),
            skip_agent_ids: own.skip.iter().map(ToString::to_string).collect(),
            since_us: own.since_us,
        }),
    }
}
