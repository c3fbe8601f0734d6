//! Publishing: one atomic batch, fenced by the last message of its source.

use async_nats::HeaderMap;
use async_nats::client::{Request, RequestErrorKind};
use async_nats::header::{
    NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL, NATS_BATCH_ID, NATS_BATCH_SEQUENCE,
    NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_ID,
};
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::response::Response;
use baton_runtime::clock::Clock;
use baton_runtime::ids::new_uuid;
use uuid::Uuid;

use super::message::{self, CURSOR};
use super::requests::{BATCH_TIMEOUT, PublishAnswer};
use super::{JetStreamBus, JetStreamError};
use crate::{BusError, CursorMove, Envelope, SourceCursor};

const DOING: &str = "publishing events";
/// Which messages the expectation is about: the library has no name for it.
const EXPECTED_LAST_SUBJECT_SEQUENCE_SUBJECT: &str = "Nats-Expected-Last-Subject-Sequence-Subject";

/// The last message of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SourceEnd {
    /// 0 if there is none: it is too old and deleted, or nothing was ever published.
    sequence: u64,
    cursor: Option<String>,
    /// The servers have refused the messages' ids after this message, as ones that they had lately.
    is_without_ids: bool,
}

/// A message on its way.
struct Outbound {
    subject: String,
    headers: HeaderMap,
    payload: Vec<u8>,
}

impl JetStreamBus {
    /// Publishes events of a source and moves its cursor: both, or neither.
    pub(crate) async fn publish(&self, moved: &CursorMove<'_>, events: &[Envelope]) -> Result<(), BusError> {
        let mut messages: Vec<_> = events.iter().map(|event| self.outbound(moved, event)).collect::<Result<_, _>>()?;
        let Some(last) = messages.last_mut() else { return Ok(()) };
        last.headers.insert(CURSOR, moved.to);
        // It is known again when the servers have answered.
        let known = self.0.ends.lock().remove(moved.source);
        let end = match known {
            Some(end) => end,
            None => self.read_end(moved.source).await?.0,
        };
        if end.cursor.as_deref() != moved.from {
            return Err(BusError::CursorMoved);
        }
        let next = self.publish_after(moved, &end, messages).await?;
        self.ring(next.sequence, events.iter().map(|event| event.tenant.as_str())).await;
        self.0.ends.lock().insert(moved.source.to_owned(), next);
        Ok(())
    }

    /// How far a source is in the stream.
    pub(crate) async fn cursor(&self, source: &str) -> Result<Option<SourceCursor>, BusError> {
        let (mut end, last_event) = self.read_end(source).await?;
        let mut ends = self.0.ends.lock();
        end.is_without_ids = ends.get(source).is_some_and(|it| it.is_without_ids && it.sequence == end.sequence);
        let cursor = end.cursor.clone();
        ends.insert(source.to_owned(), end);
        Ok(cursor.map(|cursor| SourceCursor { cursor, last_event }))
    }

    /// The last message of a source, as the leader has it, and the event in it with its time.
    async fn read_end(&self, source: &str) -> Result<(SourceEnd, Option<(Uuid, i64)>), JetStreamError> {
        let Some(last) = self.last_on(&self.0.names.of_area(source)).await? else { return Ok(Default::default()) };
        let sequence = last.sequence;
        let Some(cursor) = last.headers.get(CURSOR) else {
            return Err(JetStreamError::NoCursor { source_name: source.to_owned(), sequence });
        };
        let end = SourceEnd { sequence, cursor: Some(cursor.as_str().to_owned()), is_without_ids: false };
        Ok((end, message::event(&last).map(|event| (event.id, event.time_us))))
    }

    /// The sequence of the last message of a source, whoever wrote it; 0 if there is none.
    pub(super) async fn end_sequence(&self, source: &str) -> Result<u64, JetStreamError> {
        Ok(self.last_on(&self.0.names.of_area(source)).await?.map_or(0, |last| last.sequence))
    }

    fn outbound(&self, moved: &CursorMove<'_>, event: &Envelope) -> Result<Outbound, JetStreamError> {
        if event.area != moved.source {
            let (source_name, area) = (moved.source.to_owned(), event.area.clone());
            return Err(JetStreamError::ForeignArea { source_name, area });
        }
        let max = self.0.client.max_payload();
        let headers = message::headers(event)?;
        // The fence and the cursor come to the headers of some.
        let bytes = event.payload.len() + headers_len(&headers) + moved.to.len() + 1_024;
        if max > 0 && bytes > max {
            return Err(JetStreamError::TooLarge { id: event.id, bytes, max });
        }
        let subject = format!("{}{}", self.0.names.prefix, event.subject());
        Ok(Outbound { subject, headers, payload: event.payload.clone() })
    }

    async fn publish_after(
        &self,
        moved: &CursorMove<'_>,
        end: &SourceEnd,
        mut messages: Vec<Outbound>,
    ) -> Result<SourceEnd, BusError> {
        if end.is_without_ids {
            for it in &mut messages {
                it.headers = without(&it.headers, NATS_MESSAGE_ID.as_ref());
            }
        }
        match self.send(moved.source, end.sequence, messages).await {
            Ok(answer) if !answer.duplicate => {
                let cursor = Some(moved.to.to_owned());
                Ok(SourceEnd { sequence: answer.seq, cursor, is_without_ids: false })
            }
            Err(JetStreamError::Refused { error, .. }) if is_overtaken(error.error_code()) => {
                Err(BusError::CursorMoved)
            }
            refused => {
                self.without_ids_next(moved.source, end, refused)?;
                Err(BusError::CursorMoved)
            }
        }
    }

    /// Ids that the servers had in the last two minutes, though nothing after the cursor is in the stream: it has lost its end,
    /// or is published once more. The next try, after another look at the end, is without ids. The fence holds as before.
    fn without_ids_next(
        &self,
        source: &str,
        end: &SourceEnd,
        refused: Result<PublishAnswer, JetStreamError>,
    ) -> Result<(), BusError> {
        match refused {
            Ok(_) => {}
            Err(JetStreamError::Refused { error, .. })
                if error.error_code() == ErrorCode::ATOMIC_PUBLISH_CONTAINS_DUPLICATE_MESSAGE => {}
            Err(error) => return Err(error.into()),
        }
        self.0.ends.lock().insert(source.to_owned(), SourceEnd { is_without_ids: true, ..end.clone() });
        Ok(())
    }

    /// Sends messages of a source, all or none, if its last message is still this one.
    async fn send(&self, source: &str, after: u64, messages: Vec<Outbound>) -> Result<PublishAnswer, JetStreamError> {
        let mut messages = messages;
        if let Some(first) = messages.first_mut() {
            first.headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, after.to_string());
            first.headers.insert(EXPECTED_LAST_SUBJECT_SEQUENCE_SUBJECT, self.0.names.of_area(source));
        }
        if messages.len() > 1 {
            number(&mut messages);
        }
        self.connected().await?;
        let clock = Clock::real();
        let sending = self.while_connected(clock.timeout(BATCH_TIMEOUT, self.send_all(messages))).await?;
        sending.unwrap_or_else(|_| Err(self.unanswered(DOING, RequestErrorKind::TimedOut)))
    }

    async fn send_all(&self, mut messages: Vec<Outbound>) -> Result<PublishAnswer, JetStreamError> {
        let failed = || self.unanswered(DOING, RequestErrorKind::TimedOut);
        let Some(last) = messages.pop() else { return Err(failed()) };
        for Outbound { subject, headers, payload } in messages {
            let sent = self.0.client.publish_with_headers(subject, headers, payload.into()).await;
            sent.map_err(|_| failed())?;
        }
        let request = Request::new().headers(last.headers).payload(last.payload.into());
        let answer = self.0.client.send_request(last.subject, request).await;
        let answer = answer.map_err(|error| self.unanswered(DOING, error.kind()))?;
        match serde_json::from_slice::<Response<PublishAnswer>>(&answer.payload) {
            Ok(Response::Ok(answer)) if answer.stream == self.0.names.stream => Ok(answer),
            Ok(Response::Err { error }) => Err(self.refused(DOING, error)),
            // Another stream has the subjects: this one is gone.
            Ok(Response::Ok(_)) => Err(JetStreamError::NoStream { stream: self.0.names.stream.clone() }),
            Err(_) => Err(failed()),
        }
    }

    /// Writes down where a source goes on, whatever its last message is now.
    pub(super) async fn publish_epoch(&self, source: &str, cursor: &str) -> Result<(), BusError> {
        let mut headers = HeaderMap::new();
        headers.insert(CURSOR, cursor);
        let after = self.end_sequence(source).await?;
        self.0.ends.lock().remove(source);
        let message = Outbound { subject: self.0.names.epoch(source), headers, payload: Vec::new() };
        match self.send(source, after, vec![message]).await {
            Ok(answer) => {
                self.ring(answer.seq, std::iter::empty()).await;
                Ok(())
            }
            Err(JetStreamError::Refused { error, .. }) if is_overtaken(error.error_code()) => {
                Err(BusError::CursorMoved)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Somebody else has published, or the batch was torn: on a connection that broke, or by a new leader.
fn is_overtaken(code: ErrorCode) -> bool {
    [
        ErrorCode::STREAM_WRONG_LAST_SEQUENCE,
        ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT,
        ErrorCode::ATOMIC_PUBLISH_INCOMPLETE_BATCH,
        ErrorCode::ATOMIC_PUBLISH_MISSING_SEQ,
    ]
    .contains(&code)
}

/// Makes one batch of the messages.
fn number(messages: &mut [Outbound]) {
    let batch = new_uuid().simple().to_string();
    for (number, message) in (1_usize..).zip(messages.iter_mut()) {
        message.headers.insert(NATS_BATCH_ID, batch.as_str());
        message.headers.insert(NATS_BATCH_SEQUENCE, number.to_string());
    }
    if let Some(last) = messages.last_mut() {
        last.headers.insert(NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL);
    }
}

fn without(headers: &HeaderMap, name: &str) -> HeaderMap {
    let kept = headers.iter().filter(|(it, _)| AsRef::<str>::as_ref(*it) != name);
    kept.flat_map(|(name, values)| values.iter().map(|value| (name.clone(), value.clone()))).collect()
}

fn headers_len(headers: &HeaderMap) -> usize {
    let line = |name: &async_nats::HeaderName, value: &async_nats::HeaderValue| {
        name.to_string().len() + value.as_str().len() + 4
    };
    headers.iter().flat_map(|(name, values)| values.iter().map(move |value| line(name, value))).sum()
}
