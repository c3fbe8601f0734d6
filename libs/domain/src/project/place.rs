//! Where each party is wanted: one function, so that every way of moving people (hold, consult, a flow that takes over) is a place, and no
//! special case.

use crate::interaction::{Interaction, LegState, Party, Stage};
use baton_words::Room;

/// The room in which a connected party is wanted; none: nowhere, or outside Baton's rooms.
pub(crate) fn room_of(i: &Interaction, party: &Party) -> Option<Room> {
    if party.no == i.customer { customer_room(i) } else { Some(agents_room(i)) }
}

/// Where the customer is: exactly one place (C1). In an exit they are in none of the rooms.
fn customer_room(i: &Interaction) -> Option<Room> {
    match &i.stage {
        Stage::Seeking(_) => Some(Room::Lobby),
        Stage::Served(service) if service.hold.is_some() => Some(Room::Hold),
        Stage::Served(_) => Some(Room::Talk),
        Stage::Exiting(_) | Stage::Farewell { .. } | Stage::Ended(_) => None,
    }
}

/// Agents are with the customer, or in private: never with a customer who is held (C6).
pub(crate) fn agents_room(i: &Interaction) -> Room {
    if customer_room(i) == Some(Room::Talk) { Room::Talk } else { Room::Consult }
}

/// Whether the party's leg is wanted on the switch.
pub(crate) fn is_wanted(party: &Party) -> bool {
    !matches!(party.leg.state, LegState::Planned | LegState::Over)
}
