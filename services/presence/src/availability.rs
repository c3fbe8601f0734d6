//! For what an agent can be had, and why not.

use baton_api::common::v1::Medium;

use crate::record::AgentRecord;
use crate::status::{AgentStatus, Occupied, ShownState};

/// Why somebody can't be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    Offline,
    Away,
    WrapUp,
    NotResponding,
    /// They are being offered something.
    Reserved,
    /// They are in a call.
    InCall,
    /// Somebody who has the same phone is in a call.
    PhoneInUse,
    /// They have as many interactions of this medium as they may have at once.
    CapacityFull,
    /// They do not take this medium.
    NotServed,
}

/// Whether an agent can be had for one medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MediumAvailability {
    pub(crate) medium: Medium,
    /// How many interactions of it they may have at once.
    pub(crate) capacity: u32,
    pub(crate) in_use: u32,
    /// `None`: they can.
    pub(crate) obstacle: Option<Obstacle>,
}

/// An agent for each medium: by their state, by what occupies them, and by their capacity.
pub(crate) fn availability(record: &AgentRecord) -> [MediumAvailability; 3] {
    let (status, has) = (&record.status, record.profile.capacity);
    let in_call = i64::from(status.occupied.is_some());
    [(Medium::Voice, has.voice, in_call), (Medium::Chat, has.chat, status.chats), (Medium::Video, has.video, 0)].map(
        |(medium, capacity, in_use)| {
            let obstacle = match medium {
                _ if capacity == 0 => Some(Obstacle::NotServed),
                Medium::Voice | Medium::Unspecified => obstacle(status),
                Medium::Chat | Medium::Video => {
                    by_state(status).or_else(|| (in_use >= capacity).then_some(Obstacle::CapacityFull))
                }
            };
            let count = |number: i64| u32::try_from(number).unwrap_or_default();
            MediumAvailability { medium, capacity: count(capacity), in_use: count(in_use), obstacle }
        },
    )
}

/// Why a claim can't reserve the agent for a call now; `None` if it can.
pub(crate) fn obstacle(status: &AgentStatus) -> Option<Obstacle> {
    by_state(status).or(match status.occupied {
        Some(Occupied::Reserved) => Some(Obstacle::Reserved),
        Some(Occupied::Engaged) => Some(Obstacle::InCall),
        None => status.phone_in_use.then_some(Obstacle::PhoneInUse),
    })
}

fn by_state(status: &AgentStatus) -> Option<Obstacle> {
    match status.state() {
        ShownState::Available => None,
        ShownState::Offline => Some(Obstacle::Offline),
        ShownState::Away => Some(Obstacle::Away),
        ShownState::WrapUp => Some(Obstacle::WrapUp),
        ShownState::NotResponding => Some(Obstacle::NotResponding),
    }
}
