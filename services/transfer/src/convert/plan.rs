//! The projections as the other services get them: written, with what never changes of their interaction beside them.

use super::words::{at, customer, kind, medium, reason};
use baton_api::{
    common::v1::TransferKind,
    presence::v1::{
        self as presence, Claim, InboxItem, ReleasedClaim, SyncClaimsRequest, claim::State, released_claim,
    },
    routing::v1::{Served, SyncWaitRequest, Wait},
    telephony::v1::{self as wire, Dial, leg::Origin},
};
use baton_domain::{
    Interaction,
    interaction::{Closing, LegSource},
    project::{self, Claims, MediaPlan, PlannedLeg, WantedClaim},
};

/// The media plan.
pub fn media(i: &Interaction, plan: &MediaPlan) -> wire::MediaPlan {
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
        legs: plan.legs.iter().map(|planned| leg(i, planned)).collect(),
        announcements: announcements.collect(),
        exit: plan.exit.as_ref().map(|exit| wire::Exit {
            exit_id: exit.exit.of(i.id),
            leg_id: exit.leg.of(i.id),
            mailbox: exit.mailbox.to_string(),
            customer: Some(customer(i.customer().address(), i.present_customer_key())),
            number: i.number.to_string(),
            flow: exit.flow.iter().flat_map(|flow| &flow.elements).map(super::ivr::for_the_switch).collect(),
        }),
        segment: plan.segment.map(|segment| wire::Segment {
            segment_id: segment.segment.of(i.id),
            room: segment.room.name().into(),
            recording_id: segment.recording.of(i.id),
        }),
        ended: plan.ended,
        switch_id: i.switch.to_string(),
        awaited_segment_ids: plan.awaited.iter().map(|segment| segment.of(i.id)).collect(),
    }
}

fn leg(i: &Interaction, planned: &PlannedLeg) -> wire::Leg {
    let dial = |phone: &str, allowed_by: Option<&str>| {
        Origin::Dial(Dial {
            phone: phone.to_owned(),
            ring_until_us: planned.ring_until_us,
            caller: i.shown_to(&planned.origin).to_string(),
            outside: allowed_by.is_some(),
            allowed_by: allowed_by.unwrap_or_default().to_owned(),
        })
    };
    let origin = match &planned.origin {
        LegSource::Inbound(name) => Origin::Inbound(name.to_string()),
        LegSource::Phone(phone) => dial(phone, None),
        LegSource::Outside(outside) => dial(&outside.phone, Some(&outside.allowed_by)),
        // In no plan: of those who write, nothing is wanted of a switch.
        LegSource::Written => Origin::Inbound(String::new()),
    };
    wire::Leg {
        leg_id: planned.leg.of(i.id),
        origin: Some(origin),
        room: planned.room.map(|room| room.name().into()).unwrap_or_default(),
        muted: planned.muted,
    }
}

/// The claims, with what the agents' inboxes show.
pub fn claims(i: &Interaction, own: &Claims) -> SyncClaimsRequest {
    let released = own.released.iter().map(|released| ReleasedClaim {
        claim_id: released.claim.of(i.id),
        agent_id: released.agent.to_string(),
        reason: reason(released.reason),
        wrap_up_ms: released.wrap_up_ms,
        closing: closing(released.closing).into(),
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
    let reservation = wanted.reservation.as_ref();
    let choosable = reservation.into_iter().flat_map(|it| &it.choosable);
    Claim {
        claim_id: wanted.claim.of(i.id),
        agent_id: wanted.agent.to_string(),
        state: if reservation.is_some() { State::Reserved } else { State::Engaged }.into(),
        expires_at_us: reservation.map(|it| it.until_us).unwrap_or_default(),
        choosable: choosable.map(|state| presence::AgentState::from(*state).into()).collect(),
        waits_if_busy: reservation.is_some_and(|it| it.waits_if_busy),
        inbox: Some(inbox(i, wanted)),
    }
}

fn closing(own: Closing) -> released_claim::Closing {
    match own {
        Closing::Free => released_claim::Closing::Unspecified,
        Closing::Due => released_claim::Closing::Due,
        Closing::Done => released_claim::Closing::Done,
    }
}

fn inbox(i: &Interaction, wanted: &WantedClaim) -> InboxItem {
    let by = wanted.reservation.as_ref().and_then(|it| it.transfer.as_ref());
    InboxItem {
        interaction_id: i.id.to_string(),
        transfer_id: by.map(|by| by.transfer.of(i.id)).unwrap_or_default(),
        kind: by.map_or(TransferKind::Unspecified.into(), |by| kind(by.kind)),
        offered: wanted.reservation.is_some(),
        from_name: by.map(|by| by.from_name.to_string()).unwrap_or_default(),
        customer: Some(customer(i.customer().address(), i.present_customer_key())),
        medium: medium(i.medium),
        message: by.map(|by| by.message.to_string()).unwrap_or_default(),
        start_time: Some(at(wanted.since_us)),
    }
}

fn served(own: &project::Served) -> Served {
    Served {
        queue_id: own.from.queue.to_string(),
        agent_id: own.agent.to_string(),
        since_us: own.since_us,
        waited_us: own.from.waited_us,
    }
}

/// The wait.
pub fn wait(i: &Interaction, own: &project::Queueing) -> SyncWaitRequest {
    SyncWaitRequest {
        tenant: i.tenant.to_string(),
        interaction_id: i.id.to_string(),
        version: i.version,
        wait: own.wait.as_ref().map(|own| Wait {
            wait_id: own.wait.of(i.id),
            team_id: own.pool.team().map(|team| team.to_string()).unwrap_or_default(),
            skip_agent_ids: own.skip.iter().map(ToString::to_string).collect(),
            since_us: own.since_us,
            queue_id: own.pool.queue().map(|queue| queue.to_string()).unwrap_or_default(),
            priority: own.priority.into(),
            medium: medium(i.medium),
        }),
        stands_in_queue_id: own.stands_in.map(|queue| queue.to_string()).unwrap_or_default(),
        served: own.served.iter().map(served).collect(),
    }
}
