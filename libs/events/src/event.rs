//! An event in a message of NATS: its attributes are headers, as docs/events/README.md lists them.

use std::time::SystemTime;

use async_nats::jetstream::Message;
use baton_api::actor_text::parse_actor;
use baton_api::nats_text::unescaped;
use bytes::Bytes;
use prost::Message as _;

use crate::{Cursor, Data, Event, EventData};

/// In the subject of a message that is no event, instead of the tenant: Baton's own note of where a service goes on. No
/// tenant's token has this character.
const NO_TENANT: &str = "~";

/// An event, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceivedEvent {
    /// What happened, when, to whom, and whose doing it was. Its `actor` is `None` if nobody is named.
    pub event: Event,
    /// When NATS got it, by the clock of its server. A little after [`Event::time`], or much, if NATS was away.
    pub recorded: SystemTime,
    /// After this event: keep it with what the event has changed.
    pub cursor: Cursor,
}

impl ReceivedEvent {
    /// What happened, by its type. `None` for a type that this version of the crate does not know: ignore it.
    pub fn data(&self) -> Option<&Data> {
        self.event.data.as_ref()?.data.as_ref()
    }
}

/// A message among the events that can't be read as one: somebody else publishes there, or something is broken. Report it.
#[derive(Debug, Clone, PartialEq)]
pub struct Unreadable {
    /// After this message: reading goes on.
    pub cursor: Cursor,
    /// The subject on NATS.
    pub subject: String,
    /// The headers as they are, in no particular order.
    pub headers: Vec<(String, String)>,
    /// The payload as it is.
    pub payload: Bytes,
    /// What is wrong with it, for people.
    pub why: String,
}

/// What a message is.
#[derive(Debug)]
pub(crate) enum Content {
    Event(Box<ReceivedEvent>),
    Unreadable(Unreadable),
    /// Not for readers.
    Note,
}

pub(crate) fn content(message: &Message, recorded: SystemTime, cursor: Cursor) -> Content {
    if is_note(&message.subject) {
        return Content::Note;
    }
    match event(message) {
        Ok(event) => Content::Event(Box::new(ReceivedEvent { event, recorded, cursor })),
        Err(why) => Content::Unreadable(Unreadable {
            cursor,
            subject: message.subject.to_string(),
            headers: headers(message),
            payload: message.payload.clone(),
            why,
        }),
    }
}

/// Of the form `baton.evt.v1.~.<service>.0.epoch`, perhaps with a namespace before it.
fn is_note(subject: &str) -> bool {
    let mut tokens = subject.rsplit('.');
    tokens.next() == Some("epoch") && tokens.nth(2) == Some(NO_TENANT)
}

fn event(message: &Message) -> Result<Event, String> {
    let optional = |name: &str| message.headers.as_ref()?.get(name).map(|it| unescaped(it.as_str()));
    let text = |name: &str| match optional(name) {
        Some(Some(text)) => Ok(text),
        Some(None) => Err(format!("the header {name} is not UTF-8")),
        None => Err(format!("it has no header {name}")),
    };
    let sequence = text("ce-sequence")?;
    let time = text("ce-time")?;
    let data =
        EventData::decode(message.payload.clone()).map_err(|error| format!("the payload can't be decoded: {error}"))?;
    if message.payload.is_empty() {
        return Err("the payload is empty".to_owned());
    }
    Ok(Event {
        event_id: text("ce-id")?,
        r#type: text("ce-type")?,
        tenant: text("ce-tenant")?,
        subject: text("ce-subject")?,
        sequence: sequence.parse().map_err(|_| format!("its ce-sequence is `{sequence}`, which is no number"))?,
        time: Some(time.parse().map_err(|_| format!("its ce-time is `{time}`, which is no time of RFC 3339"))?),
        actor: optional("ce-actor").flatten().map(|it| parse_actor(&it)),
        traceparent: optional("traceparent").flatten().unwrap_or_default(),
        data: Some(data),
        source: text("ce-source")?,
        spec_version: text("ce-specversion")?,
        data_schema: text("ce-dataschema")?,
    })
}

fn headers(message: &Message) -> Vec<(String, String)> {
    let all = message.headers.iter().flat_map(async_nats::HeaderMap::iter);
    all.flat_map(|(name, values)| values.iter().map(move |it| (name.to_string(), it.to_string()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_known_by_its_subject() {
        for note in ["baton.evt.v1.~.transfer.0.epoch", "x.baton.evt.v1.~.transfer.0.epoch"] {
            assert!(is_note(note), "{note}");
        }
        for event in ["baton.evt.v1.acme.transfer.0.epoch", "baton.evt.v1.%7E.transfer.0.epoch", "epoch", ""] {
            assert!(!is_note(event), "{event}");
        }
    }
}
