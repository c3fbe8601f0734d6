//! Sorting what a look at the switch shows: to each interaction its share, and what nobody knows to one side.

use std::collections::HashMap;

use super::{Book, Message, Name, Pages, Routed, Share};
use crate::plan::InteractionId;
use crate::switch::{Ending, InboundCall, LegInSight, LegOrigin, Sight};
use crate::thing::{Kind, Stamp};

/// A call that ended before anybody claimed it is kept this long for the one who still may.
const ENDED_CALL_KEPT_US: i64 = 600_000_000;

/// What nobody in this process knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strays {
    /// Calls that came in.
    pub calls: Vec<InboundCall>,
    /// Legs that were dialled, with the interaction that they were dialled for.
    pub legs: Vec<(String, InteractionId)>,
    /// Empty rooms of interactions that have no task.
    pub rooms: Vec<String>,
}

impl Book {
    /// Tells every interaction what is there of it.
    pub fn tell_sight(&self, sight: Sight, stamp: Stamp, generation: u64, now_us: i64) -> Strays {
        let mut pages = self.pages();
        pages.generation = generation;
        pages.see_unclaimed(&sight, stamp, now_us);
        let empty = Share { stamp, generation, boot_id: sight.boot_id.clone(), ..Share::default() };
        let mut shares: HashMap<InteractionId, Share> =
            pages.slots.keys().map(|id| (id.clone(), empty.clone())).collect();
        let mut strays = Strays::default();
        pages.sort(sight, stamp, &mut shares, &mut strays);
        for (id, share) in shares {
            if let Some(entry) = pages.slots.get(&id) {
                entry.slot.tell(Message::Look(Box::new(share)));
            }
        }
        strays
    }
}

impl Pages {
    fn sort(&mut self, sight: Sight, stamp: Stamp, shares: &mut HashMap<InteractionId, Share>, strays: &mut Strays) {
        for leg in sight.legs {
            match self.share_of(Kind::Leg, &leg.name, shares) {
                Some(share) => share.legs.push(leg),
                None => self.stray_leg(leg, stamp, strays),
            }
        }
        for room in sight.rooms {
            let Some((id, _)) = InteractionId::of_room(&room.name) else { continue };
            match shares.get_mut(&id) {
                Some(share) => share.rooms.push(room),
                None if room.empty => strays.rooms.push(room.name),
                None => {}
            }
        }
        for playback in sight.playbacks {
            if let Some(share) = self.share_of(Kind::Announcement, &playback, shares) {
                share.playbacks.push(playback);
            }
        }
        for recording in sight.recordings {
            if let Some(share) = self.share_of(Kind::Segment, &recording.0, shares) {
                share.recordings.push(recording);
            }
        }
        for closed in sight.closed {
            if let Some(share) = self.share_of(Kind::Segment, &closed.recording, shares) {
                share.closed.push(closed);
            }
        }
    }

    fn share_of<'a>(
        &self,
        kind: Kind,
        name: &str,
        shares: &'a mut HashMap<InteractionId, Share>,
    ) -> Option<&'a mut Share> {
        let name = Name { kind, text: name.to_owned() };
        self.names.get(&name).and_then(|id| shares.get_mut(id))
    }

    fn stray_leg(&mut self, leg: LegInSight, stamp: Stamp, strays: &mut Strays) {
        match leg.origin {
            LegOrigin::Inbound(call) => {
                if let Routed::NewCall(call) = self.new_call(call, leg.state, stamp) {
                    strays.calls.push(call);
                }
            }
            LegOrigin::Dialled(interaction) => {
                strays.legs.extend(InteractionId::parse(&interaction).map(|id| (leg.name, id)));
            }
            LegOrigin::Foreign => {}
        }
    }

    /// Calls that are not there any more have ended in a gap.
    fn see_unclaimed(&mut self, sight: &Sight, stamp: Stamp, now_us: i64) {
        for call in self.unclaimed.values_mut().filter(|it| it.ended.is_none() && it.stamp <= stamp) {
            if !sight.legs.iter().any(|leg| leg.name == call.call.leg) {
                call.ended = Some((Ending::HungUp, now_us));
            }
        }
        self.unclaimed.retain(|_, call| call.ended.is_none_or(|(_, at_us)| now_us - at_us < ENDED_CALL_KEPT_US));
    }
}
