//! The projections as the other services get them.

use super::words::{agent_state, at, kind, reason};
use baton_api::{
    common::v1::TransferKind,
    presence::v1::{Claim, InboxItem, ReleasedClaim, SyncClaimsRequest, claim::State},
    routing::v1::{SyncWaitRequest, Wait},
    telephony::v1::{self as wire, Dial, leg::Origin as WireOrigin, room::Treatment as WireTreatment},
};
use baton_domain::{
    Interaction,
    ids::LegNo,
    interaction::Stage,
    project::{self, MediaPlan, Origin, PlannedLeg, Treatment},
};

/// The media plan.
pub(crate) fn media(i: &Interaction, plan: &MediaPlan) -> wire::MediaPlan {
    let rooms = plan.rooms.iter().map(|(room, treatment)| wire::Room {
        name: room.name().into(),
        treatment: match treatment {
            Treatment::Conversation => WireTreatment::Conversation,
            Treatment::HoldMusic => WireTreatment::HoldMusic,
            Treatment::Ringback => WireTreatment::Ringback,
        }
        .into(),
    });
    wire::MediaPlan {
        tenant: i.tenant.to_string(),
        interaction_id: i.id.to_string(),
        version: plan.version,
        rooms: rooms.collect(),
        legs: plan.legs.iter().map(|planned| leg(i, planned)).collect(),
        announcements: plan
            .announcement
            .iter()
            .map(|(no, room, name)| wire::Announcement {
                announcement_id: no.of(i.id),
                room: room.name().into(),
                name: (*name).into(),
            })
            .collect(),
        exit: plan.exit.as_ref().map(|exit| wire::Exit {
            exit_id: exit.exit.of(i.id),
            leg_id: LegNo(1).of(i.id),
            mailbox: exit.mailbox.to_string(),
        }),
        segment: plan.segment.map(|segment| wire::Segment {
            segment_id: segment.segment.of(i.id),
            room: baton_domain::words::Room::Talk.name().into(),
            recording_id: segment.recording.of(i.id),
        }),
        ended: plan.ended,
        awaited_segment_ids: plan.awaited.iter().map(|segment| segment.of(i.id)).collect(),
    }
}

fn leg(i: &Interaction, planned: &PlannedLeg) -> wire::Leg {
    let origin = match &planned.origin {
        Origin::Inbound(name) => WireOrigin::Inbound(name.to_string()),
        Origin::Dial(phone, ring_until_us) => WireOrigin::Dial(Dial {
            phone: phone.to_string(),
            ring_until_us: *ring_until_us,
            caller: i.customer.address.to_string(),
            outside: false,
            allowed_by: String::new(),
        }),
        Origin::DialOutside(outside, ring_until_us) => WireOrigin::Dial(Dial {
            phone: outside.phone.to_string(),
            ring_until_us: *ring_until_us,
            caller: i.number.to_string(),
            outside: true,
            allowed_by: outside.allowed_by.to_string(),
        }),
    };
    wire::Leg {
        leg_id: planned.leg.of(i.id),
        origin: Some(origin),
        room: planned.room.map(|room| room.name().into()).unwrap_or_default(),
        muted: planned.muted,
    }
}

/// The claims, with what the agents' inboxes show.
pub(crate) fn claims(i: &Interaction, own: &project::Claims) -> SyncClaimsRequest {
    let claims = own.wanted.iter().map(|wanted| Claim {
        claim_id: wanted.claim.of(i.id),
        agent_id: wanted.agent.to_string(),
        state: if wanted.reserved_until_us.is_some() { State::Reserved } else { State::Engaged }.into(),
        expires_at_us: wanted.reserved_until_us.unwrap_or_default(),
        choosable: wanted.choosable.iter().map(|state| agent_state(*state).into()).collect(),
        inbox: Some(inbox(i, wanted)),
    });
    let released = own.released.iter().map(|released| ReleasedClaim {
        claim_id: released.claim.of(i.id),
        agent_id: released.agent.to_string(),
        reason: reason(released.reason).into(),
        wrap_up_ms: released.wrap_up_ms,
    });
    SyncClaimsRequest {
        tenant: i.tenant.to_string(),
        interaction_id: i.id.to_string(),
        version: own.version,
        claims: claims.collect(),
        released: released.collect(),
        ended: own.ended,
    }
}

fn inbox(i: &Interaction, wanted: &project::WantedClaim) -> InboxItem {
    let offered = wanted.reserved_until_us.is_some();
    let transfer = i.open_transfer().filter(|_| offered);
    let since_us = i.agent(wanted.agent).map_or(i.updated_at_us, |agent| agent.since_us);
    InboxItem {
        interaction_id: i.id.to_string(),
        transfer_id: transfer.map(|transfer| transfer.no.of(i.id)).unwrap_or_default(),
        kind: transfer.map_or(TransferKind::Unspecified, |transfer| kind(transfer.kind)).into(),
        offered,
        from_name: transfer.map(|transfer| transfer.initiator.name.to_string()).unwrap_or_default(),
        customer: i.customer.address.to_string(),
        message: transfer.map(|transfer| transfer.message.to_string()).unwrap_or_default(),
        since: Some(at(since_us)),
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

/// Whether the interaction is in voicemail: its leg is wanted although it is in no room.
pub(crate) fn wanted_legs(i: &Interaction) -> Vec<String> {
    let plan = project::plan(i);
    debug_assert!(plan.exit.is_none() || matches!(i.stage, Stage::Exiting { .. }), "an exit only while exiting");
    plan.legs.iter().map(|leg| leg.leg.of(i.id)).collect()
}
