//! Plans, as the transfer service would write them.

use baton_api::common::v1::Customer;
use baton_api::telephony::v1::room::Treatment;
use baton_api::telephony::v1::{Announcement, Dial, Exit, Leg, MediaPlan, Room, Segment, leg};
use baton_runtime::Clock;
use baton_runtime::clock::micros;
use std::time::Duration;

use super::TENANT;

/// Builds the next version of an interaction's plan.
#[derive(Clone)]
pub(crate) struct PlanBuilder {
    plan: MediaPlan,
    clock: Clock,
}

impl PlanBuilder {
    /// A call that is placed: nobody is in it yet.
    pub(crate) fn outgoing(clock: &Clock) -> Self {
        let interaction_id = baton_runtime::ids::new_uuid().to_string();
        let plan = MediaPlan { tenant: TENANT.to_owned(), interaction_id, ..Default::default() };
        Self { plan, clock: clock.clone() }
    }

    /// The customer's leg, which came in under this name, in a room.
    pub(crate) fn new(clock: &Clock, interaction: &str, inbound: &str) -> Self {
        let mut this = Self::outgoing(clock);
        interaction.clone_into(&mut this.plan.interaction_id);
        let origin = Some(leg::Origin::Inbound(inbound.to_owned()));
        this.plan.legs.push(Leg { leg_id: "customer".to_owned(), origin, ..Default::default() });
        this
    }

    /// The leg's id in the plan is its name within the interaction, so that tests can name it.
    pub(crate) fn leg_id(&self, name: &str) -> String {
        format!("{}-{name}", self.plan.interaction_id)
    }

    pub(crate) fn place(mut self, name: &str, room: &str) -> Self {
        let id = if name == "customer" { name.to_owned() } else { self.leg_id(name) };
        let leg = self.plan.legs.iter_mut().find(|leg| leg.leg_id == id).unwrap();
        room.clone_into(&mut leg.room);
        self
    }

    /// Dials the phone of this name.
    pub(crate) fn dial(mut self, phone: &str, room: &str, ring: Duration) -> Self {
        let ring_until_us = self.clock.now_us() + micros(ring);
        let caller = "Baton".to_owned();
        let dial = Dial { phone: phone.to_owned(), ring_until_us, caller, ..Default::default() };
        let leg_id = self.leg_id(phone);
        let origin = Some(leg::Origin::Dial(dial));
        self.plan.legs.push(Leg { leg_id, origin, room: room.to_owned(), muted: false });
        self
    }

    /// Dials the customer, whose leg comes first as it always does.
    pub(crate) fn dial_customer(mut self, number: &str, room: &str, ring: Duration) -> Self {
        let dial = Dial {
            phone: number.to_owned(),
            ring_until_us: self.clock.now_us() + micros(ring),
            caller: "+3225550100".to_owned(),
            outside: true,
            allowed_by: format!("+{}", &number[..2]),
        };
        let origin = Some(leg::Origin::Dial(dial));
        let leg = Leg { leg_id: self.leg_id("customer"), origin, room: room.to_owned(), muted: false };
        self.plan.legs.insert(0, leg);
        self
    }

    /// The transfer service knows that the customer has answered.
    pub(crate) fn answered(mut self) -> Self {
        if let Some(leg::Origin::Dial(dial)) = &mut self.plan.legs[0].origin {
            dial.ring_until_us = 0;
        }
        self
    }

    pub(crate) fn interaction(&self) -> &str {
        &self.plan.interaction_id
    }

    /// The customer is dialled and has not answered.
    fn rings(&self) -> bool {
        let first = self.plan.legs.first().and_then(|leg| leg.origin.as_ref());
        matches!(first, Some(leg::Origin::Dial(dial)) if dial.outside && dial.ring_until_us > 0)
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        let id = if name == "customer" { name.to_owned() } else { self.leg_id(name) };
        self.plan.legs.retain(|leg| leg.leg_id != id);
        self
    }

    pub(crate) fn record(mut self, segment: &str, room: &str) -> Self {
        self.plan.segment = Some(Segment {
            segment_id: self.leg_id(segment),
            room: room.to_owned(),
            recording_id: "recording-1".to_owned(),
        });
        self
    }

    pub(crate) fn no_record(mut self) -> Self {
        self.plan.segment = None;
        self
    }

    /// The segment is not wanted any more, and its end is awaited.
    pub(crate) fn await_end_of(mut self, segment: &str) -> Self {
        self.plan.awaited_segment_ids.push(self.leg_id(segment));
        self.no_record()
    }

    pub(crate) fn announce(mut self, id: &str, room: &str, name: &str) -> Self {
        let announcement_id = self.leg_id(id);
        self.plan.announcements.push(Announcement { announcement_id, room: room.to_owned(), name: name.to_owned() });
        self
    }

    pub(crate) fn exit(mut self, id: &str) -> Self {
        self.plan.legs[0].room.clear();
        self.plan.exit = Some(Exit {
            exit_id: self.leg_id(id),
            leg_id: "customer".to_owned(),
            mailbox: "anna".to_owned(),
            customer: Some(Customer { address: "+32470000000".to_owned(), key: "k".to_owned() }),
            number: "+3225550100".to_owned(),
            flow: Vec::new(),
        });
        self
    }

    pub(crate) fn ended(mut self) -> Self {
        self.plan = MediaPlan {
            tenant: self.plan.tenant,
            interaction_id: self.plan.interaction_id,
            ended: true,
            ..Default::default()
        };
        self
    }

    /// The plan at this version, with the rooms that are used.
    pub(crate) fn at(&self, version: u64) -> MediaPlan {
        let mut plan = self.plan.clone();
        plan.version = version;
        let mut rooms: Vec<_> = plan.legs.iter().map(|leg| leg.room.clone()).filter(|it| !it.is_empty()).collect();
        rooms.extend(plan.announcements.iter().map(|it| it.room.clone()));
        rooms.sort();
        rooms.dedup();
        plan.rooms = rooms.into_iter().map(|name| room(name, self.rings())).collect();
        plan
    }
}

fn room(name: String, rings: bool) -> Room {
    let treatment = match name.as_str() {
        "hold" => Treatment::HoldMusic,
        "lobby" => Treatment::Ringback,
        "talk" if rings => Treatment::Ringback,
        _ => Treatment::Conversation,
    };
    Room { name, treatment: treatment.into() }
}
