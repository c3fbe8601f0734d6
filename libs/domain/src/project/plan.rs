//! The media plan: which rooms there are, who is in each, which legs are wanted, what is recorded. The customer is in exactly one place in
//! every plan (C1).

use super::place::{agents_room, is_wanted, room_of};
use crate::{
    interaction::{ExitTo, Interaction, LegSource, LegState, Party, Stage},
    machine::{IvrFlow, Offer, OfferState, Round, Search},
    policy::{CustomerMeanwhile, Hears, Policy},
};
use baton_words::{AnnouncementNo, ExitNo, LegNo, RecordingNo, Room, SegmentNo, Treatment};
use smallvec::SmallVec;
use std::sync::Arc;

/// The announcement that agents hear when the held customer has hung up (B209).
pub(crate) const CUSTOMER_DISCONNECTED: &str = "customer_disconnected";

/// All that an interaction wants of its switch. What is not in it is not wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaPlan {
    /// The version of which this is the projection.
    pub version: u64,
    pub rooms: SmallVec<[PlannedRoom; 3]>,
    /// The customer's first, by which telephony knows them.
    pub legs: SmallVec<[PlannedLeg; 4]>,
    /// What is to be played once.
    pub announcement: Option<PlannedAnnouncement>,
    /// Where the customer's leg leaves to.
    pub exit: Option<PlannedExit>,
    /// What is to be recorded.
    pub segment: Option<PlannedSegment>,
    /// Segments that are no longer wanted and whose end is not known: telephony owes a fact for each (R2).
    pub awaited: SmallVec<[SegmentNo; 2]>,
    /// It is over: nothing is wanted any more.
    pub ended: bool,
}

/// A room, and what is heard in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedRoom {
    pub room: Room,
    pub treatment: Treatment,
}

/// A leg that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedLeg {
    pub leg: LegNo,
    /// It is the customer's.
    pub customer: bool,
    pub origin: LegSource,
    /// Until when a phone that is dialled may ring, microseconds since the epoch; 0: it was answered.
    pub ring_until_us: i64,
    /// Where it is to be once it is up. A ringing leg has no room: only the first answer that is committed gets one (A7).
    pub room: Option<Room>,
    /// It is not to be heard.
    pub muted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedAnnouncement {
    pub announcement: AnnouncementNo,
    pub room: Room,
    pub name: &'static str,
}

/// The customer's leg leaves to voicemail, or into an IVR flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedExit {
    pub exit: ExitNo,
    pub leg: LegNo,
    /// The voicemail box; empty where it is a flow.
    pub mailbox: Arc<str>,
    pub flow: Option<Arc<IvrFlow>>,
}

/// The stretch of audio that is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedSegment {
    pub segment: SegmentNo,
    pub recording: RecordingNo,
    /// Always one with the customer in it, not held (R1).
    pub room: Room,
}

/// The media plan of this state. Of a chat it is empty: nothing is wanted of any switch.
pub fn plan(i: &Interaction, policy: &Policy) -> MediaPlan {
    let segment = i.recorder.current.map(|segment| PlannedSegment {
        segment: segment.no,
        recording: segment.recording,
        room: Room::Talk,
    });
    let mut plan = MediaPlan {
        version: i.version,
        rooms: SmallVec::new(),
        legs: SmallVec::new(),
        announcement: None,
        exit: None,
        segment,
        awaited: SmallVec::new(),
        ended: i.ended(),
    };
    if i.medium.is_written() {
        return plan;
    }
    plan.awaited.extend(i.recorder.closing.iter().map(|segment| segment.no));
    if plan.ended {
        return plan;
    }
    let others = i.parties.iter().filter(|party| party.no != i.customer);
    for party in std::iter::once(i.customer()).chain(others).filter(|party| is_wanted(party)) {
        let leg = party_leg(i, party);
        if let Some(room) = leg.room {
            plan.add_room(room, || treatment(i, policy, room));
        }
        plan.legs.push(leg);
    }
    if let Some(search) = i.search() {
        plan.legs.extend(search.offers.iter().filter_map(offer_leg).chain(outside_leg(search)));
    }
    plan.exit = i.exit().map(|exit| {
        let (mailbox, flow) = match &exit.to {
            ExitTo::Mailbox(mailbox) => (mailbox.clone(), None),
            ExitTo::Flow(visit) => ("".into(), Some(visit.flow.clone())),
        };
        PlannedExit { exit: exit.no, leg: i.customer().leg.no, mailbox, flow }
    });
    if let Stage::Farewell { announcement, .. } = &i.stage {
        let (announcement, room) = (*announcement, agents_room(i));
        plan.announcement = Some(PlannedAnnouncement { announcement, room, name: CUSTOMER_DISCONNECTED });
    }
    plan
}

impl MediaPlan {
    fn add_room(&mut self, room: Room, treatment: impl FnOnce() -> Treatment) {
        if self.treatment(room).is_none() {
            self.rooms.push(PlannedRoom { room, treatment: treatment() });
        }
    }

    /// The room in which a leg is wanted.
    pub fn room_of(&self, leg: LegNo) -> Option<Room> {
        self.legs.iter().find(|planned| planned.leg == leg)?.room
    }

    /// What is heard in a room; none: there is no such room.
    pub fn treatment(&self, room: Room) -> Option<Treatment> {
        self.rooms.iter().find(|planned| planned.room == room).map(|planned| planned.treatment)
    }
}

fn party_leg(i: &Interaction, party: &Party) -> PlannedLeg {
    let ring_until_us = match party.leg.state {
        LegState::Ringing { until_us, .. } => until_us,
        _ => 0,
    };
    PlannedLeg {
        leg: party.leg.no,
        customer: party.no == i.customer,
        origin: party.leg.origin.clone(),
        ring_until_us,
        room: room_of(i, party),
        muted: party.muted,
    }
}

fn offer_leg(offer: &Offer) -> Option<PlannedLeg> {
    let OfferState::Ringing { leg, until_us: ring_until_us, .. } = offer.state else { return None };
    let origin = LegSource::Phone(offer.agent.phone.clone());
    Some(PlannedLeg { leg, customer: false, origin, ring_until_us, room: None, muted: false })
}

fn outside_leg(search: &Search) -> Option<PlannedLeg> {
    let (call, external) = (search.outside?, search.target.external()?);
    let origin = LegSource::Outside(external.outside());
    let (leg, ring_until_us) = (call.leg, call.until_us);
    Some(PlannedLeg { leg, customer: false, origin, ring_until_us, room: None, muted: false })
}

fn treatment(i: &Interaction, policy: &Policy, room: Room) -> Treatment {
    let ringing = || i.search().is_some_and(Search::ringing);
    match room {
        Room::Talk if i.customer().leg.is_ringing() => Treatment::Ringback,
        Room::Hold | Room::Parked => Treatment::HoldMusic,
        // Who waits alone for the customer hears music; two of them talk.
        Room::Consult if i.away() && i.agents().nth(1).is_none() => Treatment::HoldMusic,
        Room::Consult if i.agents().nth(1).is_none() && ringing() => Treatment::Ringback,
        Room::Talk | Room::Consult => Treatment::Conversation,
        Room::Lobby => lobby_treatment(i, policy),
    }
}

/// A transfer sounds as its method says (B101); a call flow rings while it rings, and plays music while it waits for somebody.
fn lobby_treatment(i: &Interaction, policy: &Policy) -> Treatment {
    let method = i.transfer.as_ref().and_then(|transfer| policy.method(transfer.kind));
    let rings = match (method, i.search()) {
        (Some(method), _) if method.customer == CustomerMeanwhile::Lobby => method.hears == Hears::Ringback,
        (Some(_), _) => true,
        (None, Some(search)) => search.round == Round::Proposed,
        (None, None) => false,
    };
    if rings { Treatment::Ringback } else { Treatment::HoldMusic }
}
