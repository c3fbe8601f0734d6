//! An event as a message of NATS, and back, without loss: the table is in [`crate::envelope`].

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::message::StreamMessage;
use baton_api::event_type;
use baton_api::nats_text::{escaped, unescaped};
use jiff::Timestamp;
use uuid::Uuid;

use super::JetStreamError;
use crate::{DATA_SCHEMA, Envelope, SPEC_VERSION};

/// In the last message of a batch: how far the service's outbox is in the stream with it.
pub(super) const CURSOR: &str = "Baton-Cursor";
const SOURCE: &str = "//baton/";
const CONTENT_TYPE: &str = "application/protobuf";

/// The attributes of an event as headers.
pub(super) fn headers(event: &Envelope) -> Result<HeaderMap, JetStreamError> {
    let time = Timestamp::from_microsecond(event.time_us)
        .map_err(|_| JetStreamError::Unwritable { id: event.id, what: "time" })?;
    let mut headers = HeaderMap::new();
    let id = event.id.to_string();
    headers.insert("ce-specversion", SPEC_VERSION);
    headers.insert("ce-id", id.as_str());
    headers.insert(NATS_MESSAGE_ID, id.as_str());
    headers.insert("ce-source", escaped(&event.source()));
    headers.insert("ce-type", escaped(&event.ce_type()));
    headers.insert("ce-dataschema", DATA_SCHEMA);
    headers.insert("ce-subject", escaped(&event.aggregate));
    headers.insert("ce-time", time.to_string());
    headers.insert("ce-datacontenttype", CONTENT_TYPE);
    headers.insert("ce-tenant", escaped(&event.tenant));
    headers.insert("ce-sequence", event.sequence.to_string());
    for (name, value) in [("ce-actor", &event.actor), ("traceparent", &event.traceparent)] {
        if !value.is_empty() {
            headers.insert(name, escaped(value));
        }
    }
    Ok(headers)
}

/// The event in a message; `None` if it is none of Baton's.
pub(super) fn event(message: &StreamMessage) -> Option<Envelope> {
    let text = |name: &str| message.headers.get(name).and_then(|it| unescaped(it.as_str()));
    let time: Timestamp = text("ce-time")?.parse().ok()?;
    Some(Envelope {
        id: event_id(message)?,
        tenant: text("ce-tenant")?,
        aggregate: text("ce-subject")?,
        sequence: text("ce-sequence")?.parse().ok()?,
        event_type: event_type::short(&text("ce-type")?).to_owned(),
        area: text("ce-source")?.strip_prefix(SOURCE)?.to_owned(),
        payload: message.payload.to_vec(),
        actor: text("ce-actor").unwrap_or_default(),
        traceparent: text("traceparent").unwrap_or_default(),
        time_us: time.as_microsecond(),
    })
}

pub(super) fn event_id(message: &StreamMessage) -> Option<Uuid> {
    message.headers.get("ce-id")?.as_str().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(event: &Envelope) -> StreamMessage {
        let mut headers = headers(event).unwrap();
        headers.insert("Nats-Sequence", "7");
        headers.insert("Nats-Time-Stamp", "2026-11-29T00:00:00Z");
        headers.insert("Nats-Subject", event.subject());
        let message = async_nats::Message {
            subject: "_INBOX.1".into(),
            reply: None,
            payload: event.payload.clone().into(),
            headers: Some(headers),
            status: None,
            description: None,
            length: 0,
        };
        message.try_into().unwrap()
    }

    fn sample() -> Envelope {
        Envelope {
            id: Uuid::from_u128(7),
            tenant: "acme".into(),
            aggregate: "interaction/1".into(),
            sequence: 3,
            event_type: "transfer.completed".into(),
            area: "transfer".into(),
            payload: vec![0, 13, 10, 255],
            actor: "agent/a1".into(),
            traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into(),
            time_us: 1_764_460_800_123_457,
        }
    }

    #[test]
    fn an_event_survives_being_a_message() {
        let odd = ["", "Zürich 東京", "a\r\nb: c", "100%41", "\"quoted\" and spaced", "\u{0}\u{7f}", "%", "ends%4"];
        let texts = odd.into_iter().map(|text| Envelope {
            tenant: text.into(),
            aggregate: text.into(),
            actor: text.into(),
            traceparent: text.into(),
            ..sample()
        });
        let times = [0, -1, 1, 999_999, 253_402_207_200_000_000].map(|time_us| Envelope { time_us, ..sample() });
        for sent in texts.chain(times).chain([sample()]) {
            assert_eq!(event(&published(&sent)), Some(sent));
        }
    }

    #[test]
    fn the_headers_are_those_of_cloudevents() {
        let headers = headers(&sample()).unwrap();
        let expected = [
            ("ce-specversion", "1.0"),
            ("ce-id", "00000000-0000-0000-0000-000000000007"),
            ("Nats-Msg-Id", "00000000-0000-0000-0000-000000000007"),
            ("ce-source", "//baton/transfer"),
            ("ce-type", "dev.baton.transfer.completed.v1"),
            ("ce-dataschema", "proto:baton.event.v1.EventData"),
            ("ce-subject", "interaction/1"),
            ("ce-time", "2025-11-30T00:00:00.123457Z"),
            ("ce-datacontenttype", "application/protobuf"),
            ("ce-tenant", "acme"),
            ("ce-sequence", "3"),
            ("ce-actor", "agent/a1"),
            ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ];
        for (name, value) in expected {
            assert_eq!(headers.get(name).map(async_nats::HeaderValue::as_str), Some(value), "{name}");
        }
        assert_eq!(headers.len(), expected.len());
    }

    #[test]
    fn no_text_can_add_a_header() {
        let headers = headers(&Envelope { actor: "agent/1\r\nBaton-Cursor: //9".into(), ..sample() }).unwrap();
        assert_eq!(headers.get("ce-actor").unwrap().as_str(), "agent/1%0D%0ABaton-Cursor:%20//9");
    }

    #[test]
    fn what_is_no_event_is_none() {
        for missing in ["ce-id", "ce-tenant", "ce-subject", "ce-time", "ce-type", "ce-source", "ce-sequence"] {
            let mut message = published(&sample());
            message.headers = message
                .headers
                .iter()
                .filter(|(name, _)| name.to_string() != missing)
                .map(|(name, values)| (name.clone(), values[0].clone()))
                .collect();
            assert_eq!(event(&message), None, "{missing}");
        }
    }
}
