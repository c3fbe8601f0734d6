//! The media plan: which rooms there are, who is in each, which legs are wanted, what is recorded. The customer is in exactly one place in
//! every plan (C1).

use crate::{
    ids::{AnnouncementNo, ExitNo, LegNo, RecordingNo, SegmentNo},
    interaction::{CustomerLine, Engaged, Interaction, Offer, OfferState, Outside, Search, Stage},
    policy::Hears,
    words::{Kind, Room},
};
use smallvec::SmallVec;
use std::sync::Arc;

/// The announcement that agents hear when the held customer has hung up (B209).
pub(crate) const CUSTOMER_DISCONNECTED: &str = "customer_disconnected";

/// All that an interaction wants of the switch. What is not in it is not wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaPlan {
    /// The version of which this is the projection.
    pub version: u64,
    /// Rooms and what is heard in them.
    pub rooms: SmallVec<[(Room, Treatment); 3]>,
    /// Legs, the customer's first.
    pub legs: SmallVec<[PlannedLeg; 4]>,
    /// What is to be played once, and where.
    pub announcement: Option<(AnnouncementNo, Room, &'static str)>,
    /// Where the customer's leg leaves to.
    pub exit: Option<Exit>,
    /// What is to be recorded.
    pub segment: Option<PlannedSegment>,
    /// Segments that are no longer wanted and whose end is not known: telephony owes a fact for each (R2).
    pub awaited: SmallVec<[SegmentNo; 2]>,
    /// It is over: nothing is wanted any more.
    pub ended: bool,
}

/// What is heard in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// The members hear each other.
    Conversation,
    /// Music, and nobody anybody.
    HoldMusic,
    /// Ringing, and nobody anybody.
    Ringback,
}

/// A leg that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedLeg {
    /// Which.
    pub leg: LegNo,
    /// Where it comes from.
    pub origin: Origin,
    /// Where it is to be once it is up. A ringing leg has no room: only the first answer that is committed gets one (A7).
    pub room: Option<Room>,
    /// It is not to be heard.
    pub muted: bool,
}

/// Where a leg comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// It came in, under this name on the switch.
    Inbound(Arc<str>),
    /// It is dialled: the phone, and until when it may ring (0: it was answered).
    Dial(Arc<str>, i64),
    /// It is dialled, outside: by this rule (X3).
    DialOutside(Outside, i64),
}

/// The customer's leg leaves to voicemail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Which attempt.
    pub exit: ExitNo,
    /// The box.
    pub mailbox: Arc<str>,
}

/// The stretch of audio that is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedSegment {
    /// Which.
    pub segment: SegmentNo,
    /// Of which recording.
    pub recording: RecordingNo,
}

/// The media plan of this state.
pub fn plan(i: &Interaction) -> MediaPlan {
    let mut plan = MediaPlan {
        version: i.version,
        rooms: SmallVec::new(),
        legs: SmallVec::new(),
        announcement: None,
        exit: None,
        segment: i
            .recording
            .current
            .map(|segment| PlannedSegment { segment: segment.no, recording: segment.recording }),
        awaited: i.recording.closing.iter().map(|segment| segment.no).collect(),
        ended: i.ended(),
    };
    if plan.ended {
        return plan;
    }
    add_customer(&mut plan, i);
    let room = agents_room(i);
    for agent in &i.agents {
        plan.legs.push(agent_leg(agent, room));
    }
    if !i.agents.is_empty() {
        plan.add_room(room, room_treatment(i, room));
    }
    for offer in i.search.iter().flat_map(|search| &search.offers) {
        plan.legs.extend(offer_leg(offer));
    }
    if let Stage::Farewell { announcement, .. } = i.stage {
        plan.announcement = Some((announcement, room, CUSTOMER_DISCONNECTED));
    }
    plan
}

impl MediaPlan {
    fn add_room(&mut self, room: Room, treatment: Treatment) {
        if !self.rooms.iter().any(|(known, _)| *known == room) {
            self.rooms.push((room, treatment));
        }
    }

    /// The room in which a leg is wanted.
    pub fn room_of(&self, leg: LegNo) -> Option<Room> {
        self.legs.iter().find(|planned| planned.leg == leg)?.room
    }
}

fn add_customer(plan: &mut MediaPlan, i: &Interaction) {
    if i.customer.gone {
        return;
    }
    let room = customer_room(i);
    let origin = match &i.customer.line {
        CustomerLine::Inbound(name) => Origin::Inbound(name.clone()),
        CustomerLine::ToDial(_) => return,
        CustomerLine::Ringing(outside, until_us) => Origin::DialOutside(outside.clone(), *until_us),
        CustomerLine::Answered(outside) => Origin::DialOutside(outside.clone(), 0),
    };
    plan.legs.push(PlannedLeg { leg: LegNo(1), origin, room, muted: false });
    if let Some(room) = room {
        plan.add_room(room, room_treatment(i, room));
    }
    if let (Stage::Exiting { exit, .. }, Some(mailbox)) = (i.stage, &i.flow.mailbox) {
        plan.exit = Some(Exit { exit, mailbox: mailbox.clone() });
    }
}

/// Where the customer is: exactly one place (C1).
fn customer_room(i: &Interaction) -> Option<Room> {
    match i.stage {
        Stage::Seeking => Some(Room::Lobby),
        Stage::Served if i.customer.held => Some(Room::Hold),
        Stage::Served => Some(Room::Talk),
        Stage::Exiting { .. } | Stage::Farewell { .. } | Stage::Ended(_) => None,
    }
}

/// Agents are with the customer, or in private: never with a customer who is held (C6).
fn agents_room(i: &Interaction) -> Room {
    if customer_room(i) == Some(Room::Talk) { Room::Talk } else { Room::Consult }
}

fn room_treatment(i: &Interaction, room: Room) -> Treatment {
    let searching = i.search.as_ref();
    match room {
        Room::Talk if i.customer.ringing() => Treatment::Ringback,
        Room::Hold => Treatment::HoldMusic,
        Room::Consult if i.agents.len() == 1 && searching.is_some_and(Search::ringing) => Treatment::Ringback,
        Room::Talk | Room::Consult => Treatment::Conversation,
        Room::Lobby => lobby_treatment(i),
    }
}

/// A cold transfer sounds as its policy says (B101); a call flow rings while it rings, and plays music while it waits for somebody.
fn lobby_treatment(i: &Interaction) -> Treatment {
    match i.open_transfer() {
        Some(transfer) if transfer.kind == Kind::Cold && i.policy.cold.customer_hears == Hears::Music => {
            Treatment::HoldMusic
        }
        Some(_) => Treatment::Ringback,
        None if i.search.as_ref().is_some_and(|search| search.wait.is_none()) => Treatment::Ringback,
        None => Treatment::HoldMusic,
    }
}

fn agent_leg(agent: &Engaged, room: Room) -> PlannedLeg {
    let origin = Origin::Dial(agent.who.phone.clone(), 0);
    PlannedLeg { leg: agent.leg, origin, room: Some(room), muted: agent.muted }
}

fn offer_leg(offer: &Offer) -> Option<PlannedLeg> {
    let OfferState::Ringing { leg, until_us } = offer.state else { return None };
    let origin = Origin::Dial(offer.who.phone.clone(), until_us);
    Some(PlannedLeg { leg, origin, room: None, muted: false })
}
