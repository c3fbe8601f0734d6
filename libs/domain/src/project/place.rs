//! Where each party is wanted: one function, so that every way of moving people (hold, consult, a flow that takes over) is a place, and no
//! special case.

use crate::{
    interaction::{Interaction, LegState, Party, Stage},
    machine::TransferState,
};
use baton_words::Room;

/// The room in which a connected party is wanted; none: nowhere, or outside Baton's rooms.
pub(crate) fn room_of(i: &Interaction, party: &Party) -> Option<Room> {
    match party.no {
        no if no == i.customer => customer_room(i),
        _ if is_parked(i, party) => Some(Room::Parked),
        _ => Some(agents_room(i)),
    }
}

/// The recipient who waits for the customer (B305), or to whom the initiator will come back (B602).
pub(crate) fn is_parked(i: &Interaction, party: &Party) -> bool {
    let open = i.transfer.as_ref().map(|transfer| &transfer.state);
    matches!(
        open,
        Some(TransferState::Accepted { recipient } | TransferState::Swapped { recipient }) if *recipient == party.no
    )
}

/// The recipient whom the customer does not see yet: in a consult, or waiting for the customer. In a chat they read all and write to agents alone.
pub(crate) fn is_apart(i: &Interaction, party: &Party) -> bool {
    let open = i.transfer.as_ref().map(|transfer| &transfer.state);
    is_parked(i, party) || matches!(open, Some(TransferState::Consulting { recipient }) if *recipient == party.no)
}

/// Where the customer is: exactly one place (C1). In an exit they are in none of the rooms.
fn customer_room(i: &Interaction) -> Option<Room> {
    match &i.stage {
        Stage::Seeking(_) => Some(Room::Lobby),
        Stage::Served(service) if service.away.is_some() => None,
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
