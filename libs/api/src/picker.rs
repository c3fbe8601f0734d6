//! What pickers answer, with each target as it goes over the wire.
//!
//! Presence encodes a target once for each change of it, and not again for each of the many who ask meanwhile; whoever asks decodes what they show.
//! On the wire these are the messages of `presence_service.proto`, which say what the fields mean; the build uses these types for them.

use prost::bytes::Bytes;
use prost::{DecodeError, Message};

use crate::presence::v1::PickerTarget;

/// The answer of `PresenceService.ListTargets`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ListTargetsResponse {
    /// Each an encoded [`PickerTarget`].
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub targets: Vec<Bytes>,
    /// For the next page; empty on the last one.
    #[prost(string, tag = "2")]
    pub next_page_token: String,
}

/// One message of the answer stream of `PresenceService.WatchTargets`.
#[derive(Clone, PartialEq, Message)]
pub struct WatchTargetsResponse {
    /// Each an encoded [`PickerTarget`].
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub changed: Vec<Bytes>,
    /// Targets that were sent before and no longer match.
    #[prost(message, repeated, tag = "2")]
    pub removed: Vec<crate::common::v1::Target>,
    /// With this message and those before it, all that match have been sent.
    #[prost(bool, tag = "3")]
    pub complete: bool,
}

/// Reads the targets of an answer.
///
/// # Errors
/// If one of them is no target: whoever answered does not keep to the contract.
pub fn targets(encoded: impl IntoIterator<Item = Bytes>) -> Result<Vec<PickerTarget>, DecodeError> {
    encoded.into_iter().map(PickerTarget::decode).collect()
}

#[cfg(test)]
mod tests {
    use prost_reflect::DynamicMessage;

    use super::*;

    /// A message of the contract that has all that these types know.
    fn by_contract(name: &str, encoded: &[u8]) -> DynamicMessage {
        let descriptor = crate::POOL.get_message_by_name(name).expect("it is in the contract");
        DynamicMessage::decode(descriptor, encoded).expect("it is one")
    }

    #[test]
    fn both_are_on_the_wire_what_the_contract_says() {
        let target = PickerTarget { name: "Ada".to_owned(), waiting: 2, ..PickerTarget::default() };
        let encoded = vec![Bytes::from(target.encode_to_vec())];
        let page = ListTargetsResponse { targets: encoded.clone(), next_page_token: "next".to_owned() };
        let read = by_contract("baton.presence.v1.ListTargetsResponse", &page.encode_to_vec());
        assert_eq!(read.fields().count(), 2);
        assert_eq!(read.unknown_fields().count(), 0);
        assert_eq!(ListTargetsResponse::decode(read.encode_to_vec().as_slice()), Ok(page));
        let removed = vec![crate::common::v1::Target::default()];
        let pushed = WatchTargetsResponse { changed: encoded.clone(), removed, complete: true };
        let read = by_contract("baton.presence.v1.WatchTargetsResponse", &pushed.encode_to_vec());
        assert_eq!(read.fields().count(), 3);
        assert_eq!(read.unknown_fields().count(), 0);
        assert_eq!(WatchTargetsResponse::decode(read.encode_to_vec().as_slice()), Ok(pushed));
        assert_eq!(targets(encoded), Ok(vec![target]));
    }

    #[test]
    fn what_is_no_target_is_refused() {
        assert!(targets([Bytes::from_static(b"\xff")]).is_err());
    }
}
