//! What an operator wants to read in the log: one line at info for each call, its end, each transfer, its end, and each change of the
//! configuration (N7). Everything else that happens is in the events.

use baton_api::common::v1::Reason;
use baton_api::event::v1::EventData;
use baton_api::event::v1::event_data::Data;
use prost::Message as _;

use crate::{Envelope, parse_actor};

/// The events that are logged: their types, or the ends of their types.
const LOGGED: [&str; 11] = [
    "interaction.opened",
    "interaction.ended",
    "transfer.started",
    "transfer.completed",
    "transfer.diverted",
    "transfer.failed",
    "transfer.cancelled",
    "transfer.abandoned",
    ".changed",
    "recording.settings_changed",
    "customer.forgotten",
];

/// Writes the line of an event that was published, if it has one. It names no person and no customer's number, and says only what sort of actor
/// it was: the events say more, to those who may know.
pub(crate) fn write(event: &Envelope) {
    if !is_logged(&event.event_type) {
        return;
    }
    let Envelope { tenant, event_type, aggregate, actor, .. } = event;
    let reason = reason(&event.payload).map(|it| it.as_str_name().trim_start_matches("REASON_"));
    let by = parse_actor(actor).kind().as_str_name().trim_start_matches("KIND_");
    tracing::info!(%tenant, event = event_type, subject = aggregate, by, reason, "it happened");
}

fn is_logged(event_type: &str) -> bool {
    LOGGED.iter().any(|it| event_type == *it || (it.starts_with('.') && event_type.ends_with(it)))
}

/// Why a call or a transfer is over.
fn reason(payload: &[u8]) -> Option<Reason> {
    let reason = match EventData::decode(payload).ok()?.data? {
        Data::InteractionEnded(it) => it.reason(),
        Data::TransferDiverted(it) => it.reason(),
        Data::TransferFailed(it) => it.reason(),
        Data::TransferCancelled(it) => it.reason(),
        _ => return None,
    };
    Some(reason)
}

#[cfg(test)]
mod tests {
    use baton_api::event::v1::{InteractionEnded, TransferStarted};

    use super::*;

    #[test]
    fn n7_calls_transfers_and_changes_are_logged_and_what_happens_within_a_call_is_not() {
        for logged in ["interaction.opened", "transfer.failed", "routing.changed", "recording.settings_changed"] {
            assert!(is_logged(logged), "{logged}");
        }
        for quiet in ["interaction.mute_changed", "agent.state_changed", "interaction.flow_step", "recording.started"] {
            assert!(!is_logged(quiet), "{quiet}");
        }
    }

    #[test]
    fn n7_the_line_of_an_end_says_why() {
        let payload = |data| EventData { data: Some(data), ..EventData::default() }.encode_to_vec();
        let ended = InteractionEnded { reason: Reason::CustomerLeft.into(), ..InteractionEnded::default() };
        assert_eq!(reason(&payload(Data::InteractionEnded(ended))), Some(Reason::CustomerLeft));
        assert_eq!(reason(&payload(Data::TransferStarted(TransferStarted::default()))), None);
    }
}
